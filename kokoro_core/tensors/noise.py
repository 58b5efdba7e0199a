"""`RowNoise`: random numbers for a row that do not depend on the rest of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from numbers import Integral
from operator import index
from typing import Any, final

import torch
from torch import Tensor

BLOCK = 64
"""Positions drawn at a time; fixed, so that a longer row begins with the same numbers."""


@final
class RowNoise:
    """Random numbers from one seed per row, with a separate stream for each part of a model.

    Numbers are drawn on the CPU in blocks of fixed size and moved, so that a row's noise depends
    neither on other rows, nor on padding, nor on the device. Every call draws new numbers; draws of
    one part do not affect those of another.

    Args:
        seeds: The seed of each row.
        stream: Name of the stream; different names give different numbers.
    """

    def __init__(self, seeds: Sequence[int], stream: str = "") -> None:
        self.seeds = tuple(seeds)
        self.stream = stream
        self._calls = 0
        self._begun = (0,) * len(self.seeds)
        self._streams: dict[str, RowNoise] = {}

    @classmethod
    def from_global(cls, rows: int) -> RowNoise:
        """Return noise for this many rows, with seeds drawn from torch's global generator."""
        return cls(torch.randint(2**62, (rows,)).tolist())

    def of(self, part: str) -> RowNoise:
        """Return the noise of a part: always the same object, so that its stream continues."""
        if part not in self._streams:
            self._streams[part] = RowNoise(self.seeds, f"{self.stream}/{part}")
        return self._streams[part]

    def normal(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Draw from the standard normal distribution.

        Shape:
            Returns: (B, num, channels), of the dtype and on the device of `like`.
        """
        return self._drawn(torch.randn, num, channels, like)

    def uniform(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Draw from the uniform distribution over [0, 1).

        Shape:
            Returns: (B, num, channels), of the dtype and on the device of `like`.
        """
        return self._drawn(torch.rand, num, channels, like)

    def select(self, rows: Sequence[int]) -> RowNoise:
        """Return the noise of some rows, which goes on where these are."""
        return self._with(
            [self.seeds[row] for row in rows], lambda noise: [noise._begun[row] for row in rows]
        )

    def replace(self, row: int, seed: int) -> RowNoise:
        """Return noise that goes on where this is, except in one row, which begins with a seed."""
        seeds = [*self.seeds[:row], seed, *self.seeds[row + 1 :]]
        return self._with(
            seeds, lambda noise: [*noise._begun[:row], noise._calls, *noise._begun[row + 1 :]]
        )

    def _with(self, seeds: list[int], begun: Callable[[RowNoise], list[int]]) -> RowNoise:
        """Return noise of other seeds, in all streams, whose rows began at these calls."""
        other = RowNoise(seeds, self.stream)
        other._calls, other._begun = self._calls, tuple(begun(self))
        other._streams = {name: each._with(seeds, begun) for name, each in self._streams.items()}
        return other

    def _drawn(self, draw: Callable[..., Tensor], num: int, channels: int, like: Tensor) -> Tensor:
        noted = _NOTED.get()
        if noted is not None:
            noted.setdefault(self, self._calls)
        blocks = -(-num // BLOCK)
        rows = [
            self._row(draw, self._seed(seed, self._calls - begun), blocks, channels)[:num]
            for seed, begun in zip(self.seeds, self._begun, strict=True)
        ]
        self._calls += 1
        # Convert before moving: not every device supports float64.
        return torch.stack(rows).to(like.dtype).to(like.device)

    def _row(self, draw: Callable[..., Tensor], seed: int, blocks: int, channels: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        drawn = [
            draw(BLOCK, channels, generator=generator, dtype=torch.float64) for _ in range(blocks)
        ]
        return torch.cat(drawn) if drawn else torch.zeros(0, channels, dtype=torch.float64)

    def _seed(self, seed: int, call: int) -> int:
        """Return the seed of a row's draw; with a sum, two rows could get the same numbers."""
        text = f"{seed} {call} {self.stream}"
        return int.from_bytes(blake2b(text.encode(), digest_size=7).digest())


_NOTED: ContextVar[dict[RowNoise, int] | None] = ContextVar("noted", default=None)


@contextmanager
def noting_draws() -> Iterator[dict[RowNoise, int]]:
    """Yield the noise drawn from within a block, with its number of draws before the block."""
    outer = _NOTED.get()
    noted: dict[RowNoise, int] = {}
    token = _NOTED.set(noted)
    try:
        yield noted
    finally:
        _NOTED.reset(token)
        if outer is not None:
            outer.update({noise: calls for noise, calls in noted.items() if noise not in outer})


@contextmanager
def replaying(drawn: Mapping[RowNoise, int]) -> Iterator[None]:
    """Repeat earlier draws within a block, starting from these numbers of draws."""
    now = {noise: noise._calls for noise in drawn}
    for noise, calls in drawn.items():
        noise._calls = calls
    try:
        yield
    finally:
        for noise, calls in now.items():
            noise._calls = calls


def row_noise(seed: int | Sequence[int] | None, rows: int) -> RowNoise | None:
    """Return the noise of one seed for all rows, or of one per row; None without a seed.

    Raises:
        TypeError: A seed is not an integer.
        ValueError: There are more or fewer seeds than rows.
    """
    if seed is None:
        return None
    each: Iterable[Any] = [seed] * rows if isinstance(seed, (int, Integral)) else seed
    try:
        seeds = [index(one) for one in each]
    except TypeError:
        raise TypeError(
            f"`seed` must be a whole number or one for each row, not {seed!r}."
        ) from None
    if len(seeds) != rows:
        raise ValueError(
            f"`seed` must be a number or one for each of {rows} rows, not {len(seeds)}."
        )
    return RowNoise(seeds)
