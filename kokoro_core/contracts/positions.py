"""Positional encodings."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from kokoro_core.contracts.component import Component


class PositionalEncoding(Component):
    """Gives attention the positions of vectors; every method is neutral unless overridden.

    Positions are int64, (T,) shared by all rows or (B, T).

    Attributes:
        max_len: Number of supported positions, or None if unlimited.
        uses_weights: True if `values` returns a tensor, which fused attention does not support.
    """

    entry_points: ClassVar[tuple[str, ...]] = ("add", "rotate", "bias", "content_bias", "values")
    max_len: int | None = None
    uses_weights: ClassVar[bool] = False

    def check_length(self, length: int) -> None:
        """Reject a sequence longer than the supported positions.

        Raises:
            ValueError: `length` exceeds `max_len`.
        """
        if self.max_len is not None and length > self.max_len:
            raise ValueError(
                f"`{type(self).__name__}` knows {self.max_len} positions but the sequence has "
                f"{length}; raise `max_len` in the spec or shorten the input."
            )

    def for_one_pass(self) -> PositionalEncoding:
        """Return what one pass through a stack uses: itself, or a view that may cache.

        Every layer of a stack asks for the same positions; an encoding whose answers are costly
        can return a view of itself that computes them once.
        """
        return self

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x (B, T, H), the input of a stack, with the encoding added."""
        return x

    def added_vectors(self, positions: Tensor) -> Tensor | None:
        """Return what `add` adds to every vector, (T, H) for positions (T,); None: ask `add`.

        Layers can then compute once a position what they would compute once a vector.
        """
        return None

    def rotate(
        self, q: Tensor, k: Tensor, q_positions: Tensor, k_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return queries and keys, both (B, heads, T, H/heads), rotated by their positions."""
        return q, k

    def bias(self, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return the bias of every layer's scores, (…, Tq, Tk); called once per stack."""
        return None

    def content_bias(self, q: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return the bias of one layer's scores, (B, heads, Tq, Tk), from its queries."""
        return None

    def values(self, weights: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return what is added to one layer's result, (B, heads, Tq, H/heads), from its weights."""
        return None
