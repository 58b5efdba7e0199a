"""`RaggedBatch`: rows of different lengths, filled from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kokoro_core.params.capabilities import SideInput
from kokoro_core.params.sizes import Sizes
from kokoro_core.tensors.masks import padding_mask_from_lengths


@dataclass(frozen=True)
class RaggedBatch:
    """The structure of a batch; its numbers follow from the seed.

    Padding is filled with numbers as well: a component must not depend on them.

    Attributes:
        lengths: Number of valid steps of each row, at least 1.
        extra: Steps of padding after the longest row.
        seed: Of the numbers.
    """

    lengths: tuple[int, ...]
    extra: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.lengths or min(self.lengths) < 1 or self.extra < 0:
            raise ValueError(
                f"`lengths` must have rows of at least 1 step, and `extra` be 0 or more, "
                f"not {self.lengths} and {self.extra}."
            )

    @property
    def width(self) -> int:
        """Steps of every row, padding included."""
        return max(self.lengths) + self.extra

    @property
    def padding_mask(self) -> Tensor:
        """(B, T) bool, True = padding."""
        return padding_mask_from_lengths(torch.tensor(self.lengths), self.width)

    def floats(self, channels: int, *, stream: int = 0) -> Tensor:
        """Return normal numbers (B, T, channels) in float64, different ones for each stream."""
        shape = (len(self.lengths), self.width, channels)
        return torch.randn(shape, generator=self._generator(stream), dtype=torch.float64)

    def integers(self, low: int, high: int, *, stream: int = 0) -> Tensor:
        """Return integers (B, T) from `low` to `high` - 1."""
        shape = (len(self.lengths), self.width)
        return torch.randint(low, high, shape, generator=self._generator(stream))

    def indices(self, sizes: Sizes) -> Tensor:
        """Return phoneme indices (B, N), equal to the padding index at padding only."""
        drawn = self.integers(0, sizes.vocab_size - 1)
        return (drawn + (drawn >= sizes.pad_id)).masked_fill(self.padding_mask, sizes.pad_id)

    def side_input(self, looks: SideInput, steps: int, sizes: Sizes, *, stream: int) -> Tensor:
        """Return a side input of the declared kind: (B, …) or (B, steps, …)."""
        width = looks.width_in(sizes)
        shape = (len(self.lengths),) if looks.per == "row" else (len(self.lengths), steps)
        generator = self._generator(stream)
        if looks.kind == "index":
            return torch.randint(0, width or 1, shape, generator=generator)
        channels = () if width is None else (width,)
        return torch.randn((*shape, *channels), generator=generator, dtype=torch.float64)

    def of_other_lengths(self) -> RaggedBatch:
        """Return a batch of as many rows with different lengths, and another longest row."""
        lengths = tuple((3 * length + row) % 7 + 2 for row, length in enumerate(self.lengths))
        return RaggedBatch(lengths, 1, self.seed)

    def _generator(self, stream: int) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed * 1000 + stream)


@dataclass(frozen=True)
class Padding:
    """Padding after the end of each row.

    Attributes:
        extra: Steps after the longest row.
        value: Written there.
    """

    extra: int = 0
    value: float = 0.0

    def fill(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return x with the value at padding, widened by the extra steps.

        Shape:
            x: (B, T) or (B, T, C). padding_mask: (B, T) bool. Returns: as x, with T + extra.
        """
        # (B, T) -> (B, T) or (B, T, 1)
        mask = padding_mask.view(*padding_mask.shape, *[1] * (x.dim() - 2))
        wider = x.new_full((x.shape[0], self.extra, *x.shape[2:]), self.value)
        return torch.cat([x.masked_fill(mask, self.value), wider], 1)


CORNERS = (
    RaggedBatch((1,)),
    RaggedBatch((1, 1, 1)),
    RaggedBatch((1,), extra=3),
    RaggedBatch((4, 4)),
    RaggedBatch((2, 5, 1), extra=2),
    RaggedBatch((3, 1, 4, 1, 5, 2), extra=1),
)
"""Corner cases that drawing may miss: one row, one step, equal lengths, longest row not first."""
