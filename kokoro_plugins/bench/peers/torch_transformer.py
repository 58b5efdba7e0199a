"""torch's own `nn.Transformer`, as one would put it to this use."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.model import TrainingBatch
from kokoro_plugins.bench.peers.contract import FrameMaker, Trainer, frame_losses
from kokoro_plugins.bench.sizes import ModelSize


@final
class TorchTransformer(nn.Module):
    """An embedding, `nn.Transformer` and heads; the encoder's result is repeated to frames.

    Args:
        size: The size of ours.
    """

    def __init__(self, size: ModelSize) -> None:
        super().__init__()
        width = size.hidden_dim
        self.embedding = nn.Embedding(size.vocab_size, width)
        self.frame_in = nn.Linear(size.mel_dim, width)
        self.positions = nn.Parameter(torch.randn(size.max_len, width) * 0.02)
        self.transformer = nn.Transformer(
            d_model=width,
            nhead=size.num_heads,
            num_encoder_layers=size.num_layers,
            num_decoder_layers=size.num_layers,
            dim_feedforward=size.ff_dim,
            dropout=0.1,
            batch_first=True,
        )
        self.mel_out = nn.Linear(width, size.mel_dim)
        self.stop_out = nn.Linear(width, 1)

    def forward(self, batch: TrainingBatch, fed: Tensor) -> tuple[Tensor, Tensor]:
        """Predict each frame from those before it.

        Shape:
            fed: (B, T, M). Returns: (B, T, M) and (B, T).
        """
        phonemes = self.embedding(batch.phoneme_indices)
        hidden = self.transformer.encoder(phonemes + self.positions[: phonemes.shape[1]])
        # (B, N, H) -> (B, T, H); all rows have the same durations
        assert batch.durations is not None
        memory = hidden.repeat_interleave(batch.durations[0], dim=1)
        return self.decode(memory, fed)

    def decode(self, memory: Tensor, fed: Tensor) -> tuple[Tensor, Tensor]:
        """Run the decoder over all frames.

        Shape:
            memory: (B, T, H). fed: (B, T, M). Returns: (B, T, M) and (B, T).
        """
        frames, length = self.frame_in(fed), fed.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length, fed.device, fed.dtype)
        hidden = self.transformer.decoder(
            frames + self.positions[:length], memory, tgt_mask=mask, tgt_is_causal=True
        )
        return self.mel_out(hidden), self.stop_out(hidden).squeeze(-1)


@final
class TorchTransformerFrames(FrameMaker):
    """Its decoder over all frames so far, without a cache, as the original model made a frame."""

    name = "nn.Transformer, no cache"

    def __init__(self, model: TorchTransformer) -> None:
        self._model = model.eval()

    def begin(self, *, rows: int, frames: int) -> None:
        """Put memory and frames in place."""
        like = self._model.frame_in.weight
        self._memory = like.new_empty(rows, frames, like.shape[0]).normal_()
        self._fed = like.new_zeros(rows, frames + 1, like.shape[1])

    def rewind(self) -> None:
        """Do nothing: it has no state."""

    def step(self) -> Tensor:
        """Make the frame after those fed."""
        mel, _ = self._model.decode(self._memory, self._fed)
        last: Tensor = mel[:, -1:]
        return last


@final
class TorchTransformerTraining(Trainer):
    """All frames at once, and the losses of the peers."""

    name = "nn.Transformer"

    def __init__(self, model: TorchTransformer) -> None:
        self.module = model.train()

    def loss(self, batch: TrainingBatch) -> Tensor:
        """Return the loss."""
        fed = torch.nn.functional.pad(batch.mel_specs, (0, 0, 1, -1))
        mel, stop_logits = self.module(batch, fed)
        return frame_losses(mel, stop_logits, batch)
