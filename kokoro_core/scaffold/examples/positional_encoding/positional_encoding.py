"""`ExamplePositionalEncoding`."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import PositionalEncoding


@final
class ExamplePositionalEncoding(PositionalEncoding):
    """Adds sinusoids with a learned scale (Transformer TTS, Li et al., 2019, section 3.3).

    Args:
        hidden_dim: Width of what they are added to.
    """

    frequencies: Tensor

    def __init__(self, *, hidden_dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        half = torch.arange(0, hidden_dim, 2, dtype=torch.float32)
        frequencies = torch.exp(half * (-math.log(10000.0) / hidden_dim))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x with the sinusoids of its positions added.

        Shape:
            x: (B, T, H). positions: (T,) or (B, T) int64. Returns: (B, T, H).
        """
        # (…, T) -> (…, T, H/2)
        angles = positions.unsqueeze(-1) * self.frequencies
        # (…, T, H/2, 2) -> (…, T, H)
        waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
        return x + self.scale * waves[..., : x.shape[-1]].to(x.dtype)
