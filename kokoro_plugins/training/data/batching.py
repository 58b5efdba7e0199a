"""Which utterances make up a batch: of similar length, up to a number of frames."""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, final

import numpy as np
from numpy.typing import NDArray

FRAME_GRID = 16
"""Mels of a training batch are padded to a multiple of this, phonemes to `PHONEME_GRID`.

Matrix products are prepared once for each new shape, which took a third of a training step on a CPU
as long as almost every batch had a shape of its own.
"""

PHONEME_GRID = 8
"""See `FRAME_GRID`."""

JITTER = 0.05
"""How far lengths are blurred before sorting, so that no two epochs have the same batches."""


@dataclass(frozen=True)
class Position:
    """A place in the order of batches.

    Attributes:
        epoch: From 0.
        batch: How many of this epoch's batches lie before it.
    """

    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True)
class PlannedBatch:
    """A batch before it is made.

    Attributes:
        indices: Its utterances.
        of_step: Frames, phonemes and number of all batches of its step; None: it is one by itself.
    """

    indices: list[int]
    of_step: tuple[int, int, int] | None = None


Planned = TypeVar("Planned")


class Order(ABC, Generic[Planned]):
    """Batches in epochs without end; an epoch depends on its number and on nothing before it."""

    @abstractmethod
    def epoch(self, number: int) -> list[Planned]:
        """Return the batches of an epoch, at least one."""

    def starting_at(self, position: Position) -> Iterator[Planned]:
        """Yield the batches from a position on, without end."""
        epochs = (self.epoch(number) for number in itertools.count(position.epoch))
        return itertools.islice(itertools.chain.from_iterable(epochs), position.batch, None)

    def moved(self, position: Position, batches: int) -> Position:
        """Return the position that many batches further on."""
        epoch, batch = position.epoch, position.batch + batches
        while batch >= (length := len(self.epoch(epoch))):
            epoch, batch = epoch + 1, batch - length
        return Position(epoch, batch)


@final
class LengthBatches(Order[list[int]]):
    """Batches of similar length in random order, without end.

    An epoch sorts the utterances by their length times a random factor near 1, cuts the order where
    a batch is full and shuffles the batches. What epoch there is depends on the seed and its number
    alone, so that a position is all that is needed to go on.

    Args:
        lengths: Frames of each utterance.
        batch_frames: The most frames of a batch, padding included; a longer utterance is a batch of
            its own.
        seed: Decides the order.
    """

    def __init__(self, lengths: Sequence[int], *, batch_frames: int, seed: int = 0) -> None:
        self._lengths = as_lengths(lengths)
        self._batch_frames = batch_frames
        self._seed = seed
        self._last: tuple[int, list[list[int]]] | None = None

    def epoch(self, number: int) -> list[list[int]]:
        """Return the batches of an epoch; each utterance is in one of them."""
        if self._last is None or self._last[0] != number:  # asked for by loader and saver alike
            generator = random.Random(f"{self._seed}/{number}")
            self._last = number, mixed(generator, self._lengths, self._batch_frames)
        return self._last[1]

    def __iter__(self) -> Iterator[list[int]]:
        return self.starting_at(Position())


Lengths = NDArray[np.int64]


def as_lengths(lengths: Sequence[int]) -> Lengths:
    """Return lengths as an array.

    Raises:
        ValueError: There is none.
    """
    if not len(lengths):
        raise ValueError("`lengths` must hold at least one utterance.")
    return np.asarray(lengths, np.int64)


def mixed(generator: random.Random, lengths: Lengths, batch_frames: int) -> list[list[int]]:
    """Return batches of similar length in random order."""
    blurred = lengths * uniforms(generator, len(lengths), 1 - JITTER, 1 + JITTER)
    batches = cut(np.argsort(blurred, kind="stable"), lengths, batch_frames)
    generator.shuffle(batches)
    return batches


def uniforms(generator: random.Random, count: int, low: float, high: float) -> NDArray[np.float64]:
    """Return what so many calls of ``generator.uniform(low, high)`` would.

    Both libraries draw by the Mersenne Twister and make a number of two draws in the same way, so
    NumPy takes the generator's state and gives it back: an epoch of a million utterances takes
    less than half as long so.
    """
    version, state, gauss = generator.getstate()
    twister = np.random.RandomState()
    twister.set_state(("MT19937", np.array(state[:-1], np.uint32), int(state[-1]), 0, 0.0))
    drawn = twister.random_sample(count)
    after: Any = twister.get_state(legacy=False)
    key, place = after["state"]["key"].tolist(), after["state"]["pos"]
    generator.setstate((version, (*key, place), gauss))
    return low + (high - low) * drawn


def cut(
    order: Sequence[int] | Lengths, lengths: Sequence[int] | Lengths, batch_frames: int
) -> list[list[int]]:
    """Cut an order of utterances into batches that are as long as the frames allow."""
    if batch_frames < 1:
        raise ValueError(f"`batch_frames` must be 1 or more, not {batch_frames}.")
    indices = np.asarray(order, np.int64)
    padded = (-(-np.asarray(lengths, np.int64)[indices] // FRAME_GRID) * FRAME_GRID).tolist()
    batches: list[list[int]] = []
    longest = 0
    for index, length in zip(indices.tolist(), padded, strict=True):
        longest = max(longest, length)
        if not batches or (len(batches[-1]) + 1) * longest > batch_frames:
            batches.append([])
            longest = length
        batches[-1].append(index)
    return batches


def round_up(length: int, grid: int) -> int:
    """Return the least multiple of a grid that is not below a length."""
    return -(-length // grid) * grid


def in_order_of_length(lengths: Sequence[int], batch_frames: int) -> list[list[int]]:
    """Return batches of similar length that are the same each time."""
    as_array = np.asarray(lengths, np.int64)
    return cut(np.argsort(as_array, kind="stable"), as_array, batch_frames)


def padding_share(batches: Sequence[Sequence[int]], lengths: Sequence[int]) -> float:
    """Return which share of the frames of these batches is padding."""
    rows = np.array([len(batch) for batch in batches])
    inside = np.asarray(lengths)[np.fromiter(itertools.chain.from_iterable(batches), np.int64)]
    longest = np.maximum.reduceat(inside, np.cumsum(rows) - rows)
    total = int((rows * (-(-longest // FRAME_GRID) * FRAME_GRID)).sum())
    return 1 - int(inside.sum()) / total
