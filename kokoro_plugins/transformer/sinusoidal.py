"""`SinusoidalEncoding`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self, final

import torch
from torch import Tensor
from torch.nn import functional as F

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
        table = sinusoids(max_len, hidden_dim).to(torch.get_default_dtype())
        self.register_buffer("table", table.to(torch.get_default_device()), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move the table, and compute it anew for another dtype: rounding would stay in it."""
        old = self.table
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if (old.is_meta or old.dtype != self.table.dtype) and not self.table.is_meta:
            self.table = sinusoids(*old.shape).to(self.table)
        return self

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x with the sinusoids of its positions added.

        Shape:
            x: (B, T, H). positions: (T,) or (B, T) int64. Returns: (B, T, H).
        """
        return x + F.embedding(positions, self.table)


def sinusoids(max_len: int, hidden_dim: int) -> Tensor:
    """Return the table (max_len, hidden_dim) in float64 on the CPU, which every machine has."""
    with torch.device("cpu"):
        position = torch.arange(max_len, dtype=torch.float64).unsqueeze(1)
        even = torch.arange(0, hidden_dim, 2, dtype=torch.float64)
    angle = position * torch.exp(even * (-math.log(10000.0) / hidden_dim))
    # (max_len, H/2, 2) -> (max_len, H)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :hidden_dim]
