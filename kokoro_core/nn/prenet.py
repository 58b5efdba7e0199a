"""`Prenet`: two narrow layers through which a decoder is told its last frame."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.kernels import Dropout
from kokoro_core.tensors.noise import RowNoise


@final
class Prenet(nn.Module):
    """Linear, ReLU and dropout, twice (Tacotron, Wang et al., 2017, section 3.3).

    Args:
        mel_dim: Mel channels (M).
        width: Width of both layers.
        dropout: Probability of dropout after each.
    """

    def __init__(self, *, mel_dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.probability = dropout
        self.layers = nn.ModuleList([nn.Linear(mel_dim, width), nn.Linear(width, width)])
        self.dropout = Dropout(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """Narrow the frames; in training, dropping as the global generator says.

        Shape:
            frames: (B, T, M). Returns: (B, T, width).
        """
        for layer in self.layers:
            frames = self.dropout(layer(frames).relu())
        return frames

    def speak(self, frames: Tensor, noise: RowNoise | None) -> Tensor:
        """Narrow the frames, dropping as the rows' own noise says, or nothing without any.

        Shape:
            frames: (B, K, M). Returns: (B, K, width).
        """
        for layer in self.layers:
            frames = layer(frames).relu()
            if noise is not None and self.probability > 0:
                frames = frames * self._kept(frames, noise)
        return frames

    def _kept(self, frames: Tensor, noise: RowNoise) -> Tensor:
        """Return 0 for what is dropped and 1 / (1 - p) for the rest.

        Drawn a frame at a time, so that steps of one frame and of several drop the same.
        """
        drawn = [noise.uniform(1, frames.shape[2], like=frames) for _ in range(frames.shape[1])]
        kept = torch.cat(drawn, dim=1) >= self.probability
        return kept.to(frames.dtype) / (1 - self.probability)
