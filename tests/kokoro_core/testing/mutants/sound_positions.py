"""Sound positional encodings, with seams for mutants."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from kokoro_core.contracts import PositionalEncoding
from tests.kokoro_core.testing.mutants.blocks import sinusoids


class Sinusoid(PositionalEncoding):
    """Adds sinusoids from a table of 64 positions."""

    table: Tensor
    length: ClassVar[int] = 64

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.max_len, self.width = self.length, width
        self.keep(self.made(width))

    def _apply(self, fn, recurse=True):
        """Make the table anew where the module is moved to, so that it is as exact as it can be."""
        super()._apply(fn, recurse)
        return self.moved()

    def moved(self) -> Sinusoid:
        """Return itself with its table made anew."""
        self.table = self.made(self.width).to(self.table)
        return self

    def made(self, width: int) -> Tensor:
        """Return the table (length, width)."""
        return sinusoids(torch.arange(self.length), width, torch.get_default_dtype())

    def keep(self, table: Tensor) -> None:
        """Keep the table."""
        self.register_buffer("table", table, persistent=False)

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x (B, T, H) with its positions."""
        return x + self.at(positions)

    def at(self, positions: Tensor) -> Tensor:
        """Return the rows of positions."""
        return self.table[positions]


class Rotary(PositionalEncoding):
    """Turns pairs of channels."""

    def __init__(self, *, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim

    def rotate(
        self, q: Tensor, k: Tensor, q_positions: Tensor, k_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return queries and keys turned."""
        return self.turned(q, q_positions), self.turned(k, k_positions)

    def turned(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x (B, heads, T, D) turned by its positions."""
        angles = self.angles(positions)
        cos, sin = (each.to(x.dtype) for each in (angles.cos(), angles.sin()))
        first, second = x.chunk(2, -1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)

    def angles(self, positions: Tensor) -> Tensor:
        """Return angles (T, D/2) or (B, 1, T, D/2)."""
        pairs = torch.arange(0, self.head_dim, 2, dtype=torch.float64)
        found = positions.double().unsqueeze(-1) * self.frequencies(pairs)
        return found.unsqueeze(1) if positions.dim() == 2 else found

    def frequencies(self, pairs: Tensor) -> Tensor:
        """Return how fast each pair turns."""
        return 10000.0 ** (-pairs / self.head_dim)


class Relative(PositionalEncoding):
    """Lowers scores by distance, and learns a vector for each of a few distances."""

    uses_weights: ClassVar[bool] = True
    most: ClassVar[int] = 4
    slopes: Tensor

    def __init__(self, *, num_heads: int, head_dim: int) -> None:
        super().__init__()
        self.for_scores = nn.Embedding(2 * self.most + 1, head_dim)
        self.for_values = nn.Embedding(2 * self.most + 1, head_dim)
        self.register_buffer("slopes", 0.5 ** torch.arange(1, num_heads + 1), persistent=False)

    def distances(self, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        """Return how far each key is from each query, (…, Tq, Tk)."""
        return k_positions.unsqueeze(-2) - q_positions.unsqueeze(-1)

    def bias(self, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        """Return biases (…, heads, Tq, Tk)."""
        far = self.distances(q_positions, k_positions).abs().unsqueeze(-3)
        return -self.slopes[:, None, None] * far

    def near(self, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        """Return indices of learned vectors."""
        far = self.distances(q_positions, k_positions)
        return far.clamp(-self.most, self.most) + self.most

    def content_bias(self, q: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        """Return biases (B, heads, Tq, Tk) of queries (B, heads, Tq, D)."""
        vectors = self.for_scores(self.near(q_positions, k_positions))
        # (…, 1, Tq, D, Tk)
        return (q.unsqueeze(-2) @ self._over_heads(vectors).transpose(-1, -2)).squeeze(-2)

    def values(self, weights: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        """Return what is added to results, (B, heads, Tq, D)."""
        vectors = self.for_values(self.near(q_positions, k_positions))
        return (weights.unsqueeze(-2) @ self._over_heads(vectors)).squeeze(-2)

    def _over_heads(self, vectors: Tensor) -> Tensor:
        # (B, Tq, Tk, D) -> (B, 1, Tq, Tk, D)
        return vectors.unsqueeze(1) if vectors.dim() == 4 else vectors
