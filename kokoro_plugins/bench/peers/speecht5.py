"""SpeechT5 of Hugging Face transformers (Ao et al., 2022), with random weights."""

from __future__ import annotations

import copy
from typing import Any, final

import torch
from torch import Tensor
from transformers import SpeechT5Config, SpeechT5ForTextToSpeech

from kokoro_core.model import TrainingBatch
from kokoro_plugins.bench.peers.contract import FrameMaker, Trainer, frame_losses
from kokoro_plugins.bench.sizes import FRAMES_PER_PHONEME, ModelSize


def speecht5(size: ModelSize) -> Any:
    """Return the model: the sizes of ours, its own prenet, one frame a step, nothing dropped whole.

    Its layers stay in: layer drop would spare it work. The convolutions of its postnet are not used
    here, ours has none.
    """
    config = SpeechT5Config(  # type: ignore[no-untyped-call, unused-ignore]
        vocab_size=size.vocab_size,
        pad_token_id=0,
        num_mel_bins=size.mel_dim,
        reduction_factor=1,
        hidden_size=size.hidden_dim,
        encoder_layers=size.num_layers,
        decoder_layers=size.num_layers,
        encoder_attention_heads=size.num_heads,
        decoder_attention_heads=size.num_heads,
        encoder_ffn_dim=size.ff_dim,
        decoder_ffn_dim=size.ff_dim,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        speech_decoder_prenet_units=size.prenet_units,
        max_speech_positions=size.max_len,
        max_text_positions=size.max_len,
    )
    return SpeechT5ForTextToSpeech(config)


@final
class SpeechT5Frames(FrameMaker):
    """The body of its `generate_speech`, with its key/value cache.

    Its cross-attention looks at the phonemes, of which there are fewer than frames, so that it has
    less to read than ours.

    Args:
        model: A SpeechT5.
        whole_prenet: Run the prenet over all frames so far at each step, as the library does;
            False: over the last frame alone, which would be enough.
    """

    def __init__(self, model: Any, *, whole_prenet: bool = True) -> None:
        self.name = "SpeechT5" if whole_prenet else "SpeechT5, prenet once a frame"
        self._model = model.eval()
        self._whole_prenet = whole_prenet

    def begin(self, *, rows: int, frames: int) -> None:
        """Feed it `frames` frames in one go and keep the cache."""
        config, like = self._model.config, next(self._model.parameters())
        phonemes = max(1, frames // FRAMES_PER_PHONEME)
        self._memory = like.new_empty(rows, phonemes, config.hidden_size).normal_()
        self._mask = torch.ones(rows, phonemes, dtype=torch.int64, device=like.device)
        self._fed = like.new_zeros(rows, frames, config.num_mel_bins)
        made = self._decode(self._prenet(self._fed), None)
        self._filled = made.past_key_values
        self._next = self._head(made)
        self.rewind()

    def rewind(self) -> None:
        """Copy the cache that `begin` has left."""
        self._cache = copy.deepcopy(self._filled)
        self._frames = torch.cat([self._fed, self._next], dim=1)

    def step(self) -> Tensor:
        """Make the next frame."""
        seen = self._frames if self._whole_prenet else self._frames[:, -1:]
        made = self._decode(self._prenet(seen)[:, -1:], self._cache)
        self._cache = made.past_key_values
        mel = self._head(made)
        self._frames = torch.cat([self._frames, mel], dim=1)
        torch.sigmoid(self._model.speech_decoder_postnet.prob_out(made.last_hidden_state))
        return mel

    def _prenet(self, frames: Tensor) -> Tensor:
        result: Tensor = self._model.speecht5.decoder.prenet(frames)
        return result

    def _decode(self, x: Tensor, cache: Any) -> Any:
        return self._model.speecht5.decoder.wrapped_decoder(
            hidden_states=x,
            attention_mask=None,
            encoder_hidden_states=self._memory,
            encoder_attention_mask=self._mask,
            past_key_values=cache,
            use_cache=True,
            return_dict=True,
        )

    def _head(self, made: Any) -> Tensor:
        mel: Tensor = self._model.speech_decoder_postnet.feat_out(made.last_hidden_state[:, -1:])
        return mel


@final
class SpeechT5Training(Trainer):
    """Encoder, prenet and decoder over all frames, and the losses of the peers.

    Its own loss has the postnet's convolutions and guided attention on top.
    """

    name = "SpeechT5"

    def __init__(self, model: Any) -> None:
        self.module = model.train()

    def loss(self, batch: TrainingBatch) -> Tensor:
        """Return the loss."""
        model: Any = self.module
        # (B, T, M): a zero frame, then all but the last
        fed = torch.nn.functional.pad(batch.mel_specs, (0, 0, 1, -1))
        hidden = model.speecht5(
            input_values=batch.phoneme_indices,
            attention_mask=torch.ones_like(batch.phoneme_indices),
            decoder_input_values=fed,
            use_cache=False,
            return_dict=True,
        ).last_hidden_state
        heads = model.speech_decoder_postnet
        return frame_losses(heads.feat_out(hidden), heads.prob_out(hidden).squeeze(-1), batch)
