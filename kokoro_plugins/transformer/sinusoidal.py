"""`SinusoidalEncoding`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import PositionalEncoding

BLOCK = 128
"""Positions at a time: 512 channels of so many, in float64, fit a core's own cache."""


@final
class SinusoidalEncoding(PositionalEncoding):
    """Adds fixed sinusoids (Vaswani et al., 2017, section 3.5): even channels sine, odd cosine.

    Args:
        hidden_dim: Width of what they are added to.
        max_len: Number of positions.
        learned_scale: Multiply them by a learned number (Li et al., 2019, section 3.2).
    """

    table: Tensor

    def __init__(
        self, *, hidden_dim: int, max_len: int = 5000, learned_scale: bool = False
    ) -> None:
        super().__init__()
        self.max_len = max_len
        self.scale = nn.Parameter(torch.ones(())) if learned_scale else None
        table = torch.empty(max_len, hidden_dim)  # of the type and on the device that are usual now
        self.register_buffer("table", _with_sinusoids(table), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move the table, and compute it anew for another dtype: rounding would stay in it."""
        old = self.table
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if (old.is_meta or old.dtype != self.table.dtype) and not self.table.is_meta:
            self.table = _with_sinusoids(self.table)
        return self

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x with the sinusoids of its positions added.

        Shape:
            x: (B, T, H). positions: (T,) or (B, T) int64. Returns: (B, T, H).
        """
        return x + self.added_vectors(positions)

    def added_vectors(self, positions: Tensor) -> Tensor:
        """Return the sinusoids of positions.

        Shape:
            positions: (T,) or (B, T) int64. Returns: (T, H) or (B, T, H).
        """
        sinusoids = F.embedding(positions, self.table)
        return sinusoids if self.scale is None else self.scale * sinusoids


def _with_sinusoids(table: Tensor) -> Tensor:
    """Return sinusoids in a table's place; on meta there are no numbers to compute."""
    if table.is_meta:
        return table
    return sinusoids(*table.shape, dtype=table.dtype).to(table.device)


@torch.no_grad()
def sinusoids(max_len: int, hidden_dim: int, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return the table (max_len, H), computed in float64 on the CPU, which every machine has.

    A sine takes ten times as long as a product, so only those of the first positions and of each
    block's start are computed; the others by sin(p + r) + i cos(p + r) = i exp(-ip) exp(-ir), which
    is as exact, since either way it is the angles that are rounded.
    """
    with torch.device("cpu"):
        first = _angles(range(min(BLOCK, max_len)), hidden_dim)
        starts = _angles(range(0, max_len, BLOCK), hidden_dim)
        table = torch.empty(max_len, hidden_dim, dtype=dtype)
    back = torch.complex(first.cos(), -first.sin())
    product = torch.empty_like(back)
    # (BLOCK, H/2) complex -> (BLOCK, H), a sine and a cosine in turn
    block = torch.view_as_real(product).flatten(1)[:, :hidden_dim]
    turns = torch.complex(starts.sin(), starts.cos())
    for rows, turn in zip(torch.split(table, BLOCK), turns, strict=True):
        torch.mul(back, turn, out=product)
        rows.copy_(block[: len(rows)])
    return table


def _angles(positions: range, hidden_dim: int) -> Tensor:
    """Return the angle of each pair of channels at each position, float64."""
    even = torch.arange(0, hidden_dim, 2, dtype=torch.float64)
    frequencies = torch.exp(even * (-math.log(10000.0) / hidden_dim))
    return torch.outer(torch.tensor(positions, dtype=torch.float64), frequencies)
