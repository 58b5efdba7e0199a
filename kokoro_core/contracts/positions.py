"""Positional encodings."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from kokoro_core.contracts.component import Component


class PositionalEncoding(Component):
    """Tells attention where vectors stand; every method is neutral unless it is overridden.

    Positions are int64, (T,) shared by all rows or (B, T).

    Attributes:
        max_len: Number of positions it knows, or None for any number.
        uses_weights: True if `values` returns something, which no fused attention can do.
    """

    entry_points: ClassVar[tuple[str, ...]] = ("add", "rotate", "bias", "content_bias", "values")
    max_len: int | None = None
    uses_weights: ClassVar[bool] = False

    def check_length(self, length: int) -> None:
        """Refuse a sequence that is longer than the positions it knows.

        Raises:
            ValueError: `length` is more than `max_len`.
        """
        if self.max_len is not None and length > self.max_len:
            raise ValueError(
                f"`{type(self).__name__}` knows {self.max_len} positions but the sequence has "
                f"{length}; raise `max_len` in the spec or shorten the input."
            )

    def for_one_pass(self) -> PositionalEncoding:
        """Return what one pass through a stack uses: itself, or a view that may remember.

        Every layer of a stack asks for the same positions; an encoding whose answer takes some work
        can return a view of itself that does the work once.
        """
        return self

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x (B, T, H) with what is added to the input of a stack."""
        return x

    def rotate(
        self, q: Tensor, k: Tensor, q_positions: Tensor, k_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return queries and keys, each (B, heads, T, H/heads), turned by their positions."""
        return q, k

    def bias(self, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return what is added to the scores of every layer, (…, Tq, Tk); asked once a stack."""
        return None

    def content_bias(self, q: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return what is added to one layer's scores, (B, heads, Tq, Tk), from its queries."""
        return None

    def values(self, weights: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return what is added to one layer's result, (B, heads, Tq, H/heads), from its weights."""
        return None
