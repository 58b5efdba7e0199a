"""SpeechT5 of transformers in float64, with the weights of one of our models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import SpeechT5Config, SpeechT5ForTextToSpeech

from kokoro_core.tensors.noise import RowNoise
from kokoro_plugins.speecht5.importer import published_names

MELS, WIDTH, SPEAKER, PAD = 5, 12, 3, 1

SIZES: dict[str, Any] = {
    **{"vocab_size": 9, "mel_dim": MELS, "hidden_dim": WIDTH, "audio": None},
    **{f"{part}.num_layers": 2 for part in ("encoder", "decoder")},
    **{f"{part}.num_heads": 3 for part in ("encoder", "decoder")},
    **{f"{part}.ff_dim": 10 for part in ("encoder", "decoder")},
    **{f"{part}.dropout": 0.0 for part in ("encoder", "decoder", "postnet")},
    **{"decoder.prenet_dropout": 0.0, "decoder.prenet_dim": 7, "decoder.speaker_dim": SPEAKER},
    **{"encoder.positional_encoding.max_distance": 3, "postnet.channels": 4},
    **{"postnet.kernel_size": 3, "postnet.num_layers": 3},
}
"""What makes the named spec small and its training repeatable."""

CONFIG: dict[str, Any] = {
    **{"vocab_size": 9, "hidden_size": WIDTH, "num_mel_bins": MELS, "pad_token_id": PAD},
    **{f"{part}_layers": 2 for part in ("encoder", "decoder")},
    **{f"{part}_attention_heads": 3 for part in ("encoder", "decoder")},
    **{f"{part}_ffn_dim": 10 for part in ("encoder", "decoder")},
    **{f"{part}_layerdrop": 0.0 for part in ("encoder", "decoder")},
    **{f"{each}_dropout": 0.0 for each in ("positional", "hidden", "attention", "activation")},
    **{"speech_decoder_prenet_units": 7, "speech_decoder_prenet_dropout": 0.5},
    **{"speech_decoder_postnet_layers": 3, "speech_decoder_postnet_units": 4},
    **{"speech_decoder_postnet_kernel": 3, "speech_decoder_postnet_dropout": 0.0},
    **{"speaker_embedding_dim": SPEAKER, "encoder_max_relative_position": 3},
}
"""The same sizes for the reference."""


def as_theirs(name: str, value: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield the reference's names of what lies in a tensor of ours, each with its part of it."""
    names = published_names(name)
    parts = value.chunk(len(names)) if value.dim() else [value]
    yield from zip(names, parts, strict=True)


def reference_of(model: nn.Module) -> Any:
    """Return the reference with the weights of a model, and nothing left out on either side."""
    reference: Any = SpeechT5ForTextToSpeech(SpeechT5Config(**CONFIG)).double()
    state = reference.state_dict()
    for name, value in model.state_dict().items():
        for each, part in as_theirs(name, value):
            state.pop(each).copy_(part)
    assert not state
    for side in (reference.speecht5.encoder, reference.speecht5.decoder):
        positions = side.prenet.encode_positions
        positions.pe = torch.from_numpy(sinusoids(positions.max_len)).unsqueeze(0)
    return reference.eval()


def sinusoids(length: int) -> Any:
    """Return the reference's table of positions, which it computes in float32."""
    even = np.arange(0, WIDTH, 2)
    angles = np.arange(length)[:, None] / 10000.0 ** (even / WIDTH)
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(length, WIDTH)


def off_the_diagonal(phonemes: Tensor, groups: Tensor, sigma: float, device: Any) -> Tensor:
    """Return the reference's penalty of attention, which it computes in float32."""
    along = np.arange(int(groups))[:, None] / int(groups)
    across = np.arange(int(phonemes))[None] / int(phonemes)
    return torch.from_numpy(1 - np.exp(-((across - along) ** 2) / (2 * sigma**2)))


def silence_padding(reference: Any, padding_mask: Tensor) -> None:
    """Let the reference's postnet see zeros at padding, where it sees what the decoder made."""
    for layer in reference.speech_decoder_postnet.layers:
        layer.conv.register_forward_pre_hook(
            lambda _, given: (given[0].masked_fill(padding_mask.unsqueeze(1), 0),)
        )


class Dropping:
    """Drops in the reference's prenet what the noise of the rows drops in ours.

    The reference runs its prenet over all frames so far in each step, and draws for all of them
    anew; here a frame is dropped as it was before.
    """

    def __init__(self, noise: RowNoise, like: Tensor) -> None:
        self._noise = noise
        self._like = like
        self._kept: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._calls = 0

    def __call__(self, x: Tensor, p: float) -> Tensor:
        of_layer = self._kept[self._calls % 2]
        self._calls += 1
        drawn = self._noise.uniform(1, x.shape[2], like=self._like)
        of_layer.append((drawn >= p) / (1 - p))
        return x * torch.cat(of_layer, dim=1)
