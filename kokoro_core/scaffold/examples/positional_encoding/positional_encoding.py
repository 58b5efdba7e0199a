"""`ExamplePositionalEncoding`."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import PositionalEncoding


@final
class ExamplePositionalEncoding(PositionalEncoding):
    """Adds sinusoids with a learned scale (Transformer TTS, Li et al., 2019, section 3.3)."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x with the sinusoids of its positions added.

        Shape:
            x: (B, T, H). positions: (T,) or (B, T) int64. Returns: (B, T, H).
        """
        hidden_dim = x.shape[-1]
        even = torch.arange(0, hidden_dim, 2, dtype=torch.float32, device=x.device)
        frequencies = torch.exp(even * (-math.log(10000.0) / hidden_dim))
        # (…, T) -> (…, T, H/2), in float32 whatever x is in: far positions need the digits
        angles = positions.unsqueeze(-1) * frequencies
        # (…, T, H/2, 2) -> (…, T, H)
        waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
        return x + self.scale * waves[..., :hidden_dim].to(x.dtype)
