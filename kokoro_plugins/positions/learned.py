"""`LearnedPositions`: a table with one vector per position."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import PositionalEncoding

INITIAL_STD = 0.02
"""As in BERT and GPT-2: small compared with the vectors that the table is added to."""


@final
class LearnedPositions(PositionalEncoding):
    """Adds a learned vector for each position (Gehring et al., 2017, section 3.1).

    Args:
        hidden_dim: Width of the stack.
        max_len: Number of positions; callers reject longer sequences with `check_length`.
    """

    def __init__(self, *, hidden_dim: int, max_len: int) -> None:
        super().__init__()
        self.max_len = max_len
        self.table = nn.Embedding(max_len, hidden_dim)
        nn.init.normal_(self.table.weight, std=INITIAL_STD)

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x with the vectors of its positions added.

        Shape:
            x: (B, T, H). positions: (T,) or (B, T) int64. Returns: (B, T, H).
        """
        return x + self.added_vectors(positions)

    def added_vectors(self, positions: Tensor) -> Tensor:
        """Return the vectors of positions.

        Shape:
            positions: (T,) or (B, T) int64. Returns: (T, H) or (B, T, H).
        """
        vectors: Tensor = self.table(positions)
        return vectors
