"""`SinusoidalEncoding`."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from kokoro_core.contracts import PositionalEncoding


@final
class SinusoidalEncoding(PositionalEncoding):
    """Adds fixed sinusoids (Vaswani et al., 2017, section 3.5): even channels sine, odd cosine.

    Args:
        hidden_dim: Width of what they are added to.
        max_len: Number of positions.
    """

    table: Tensor

    def __init__(self, *, hidden_dim: int, max_len: int = 5000) -> None:
        super().__init__()
        self.max_len = max_len
        self.register_buffer("table", sinusoids(max_len, hidden_dim), persistent=False)

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x with the sinusoids of its positions added.

        Shape:
            x: (B, T, H). positions: (T,) or (B, T) int64. Returns: (B, T, H).
        """
        return x + self.table[positions]


def sinusoids(max_len: int, hidden_dim: int) -> Tensor:
    """Return the table (max_len, hidden_dim), computed in float64, which every CPU has."""
    with torch.device("cpu"):
        position = torch.arange(max_len, dtype=torch.float64).unsqueeze(1)
        even = torch.arange(0, hidden_dim, 2, dtype=torch.float64)
    angle = position * torch.exp(even * (-math.log(10000.0) / hidden_dim))
    # (max_len, H/2, 2) -> (max_len, H)
    table = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :hidden_dim]
    return table.to(torch.get_default_dtype()).to(torch.get_default_device())
