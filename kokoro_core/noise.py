"""`RowNoise`: random numbers that a row gets whatever else is in the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

BLOCK = 64
"""Positions that are drawn at a time; fixed, so that a longer row begins with the same numbers."""


@final
class RowNoise:
    """Gaussian noise from a seed per row.

    Numbers are drawn on the CPU in blocks of fixed size and moved, so that a row's noise depends
    neither on its batch-mates, nor on the padding, nor on the device. Each call draws anew.

    Args:
        seeds: The seed of each row.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.seeds = tuple(seeds)
        self._calls = 0

    @classmethod
    def from_global(cls, rows: int) -> RowNoise:
        """Return noise for as many rows, its seeds drawn from torch's global generator."""
        return cls(torch.randint(2**62, (rows,)).tolist())

    def normal(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Draw from the standard normal distribution.

        Shape:
            Returns: (B, num, channels), of the dtype and on the device of `like`.
        """
        blocks = -(-num // BLOCK)
        rows = [self._row(seed, blocks, channels)[:num] for seed in self.seeds]
        self._calls += 1
        # The type first: not every device has float64.
        return torch.stack(rows).to(like.dtype).to(like.device)

    def _row(self, seed: int, blocks: int, channels: int) -> Tensor:
        generator = torch.Generator().manual_seed((seed * 1_000_003 + self._calls) % 2**63)
        drawn = [
            torch.randn(BLOCK, channels, generator=generator, dtype=torch.float64)
            for _ in range(blocks)
        ]
        return torch.cat(drawn) if drawn else torch.zeros(0, channels, dtype=torch.float64)


def row_noise(seed: int | Sequence[int] | None, rows: int) -> RowNoise | None:
    """Return the noise of a seed for every row or of one a row; None: without a seed.

    Raises:
        ValueError: There are more or fewer seeds than rows.
    """
    if seed is None:
        return None
    seeds = [seed] * rows if isinstance(seed, int) else list(seed)
    if len(seeds) != rows:
        raise ValueError(
            f"`seed` must be a number or one for each of {rows} rows, not {len(seeds)}."
        )
    return RowNoise(seeds)
