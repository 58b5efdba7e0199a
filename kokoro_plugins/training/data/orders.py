"""In which order batches of training come: an epoch with an end, or steps without one."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import final

from kokoro_plugins.training.data.batching import Order, PlannedBatch, Position
from kokoro_plugins.training.data.sizes import Size


@final
class EpochOrder:
    """One process's batches of an epoch, in another order in each.

    The batches stay the same, so that every epoch has the same length; Lightning asks for it once.

    Args:
        batches: Of all processes.
        seed: Decides the order.
        rank: Which process this is.
        processes: How many there are; if the batches cannot be shared out, the first of an epoch
            come twice, since every process must take as many as the others.
    """

    def __init__(
        self, batches: Sequence[list[int]], seed: int, rank: int = 0, processes: int = 1
    ) -> None:
        self._batches = list(batches)
        self._seed = seed
        self._rank = rank
        self._processes = processes
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is next; without it the next is the one after the last."""
        self._epoch = epoch

    def __len__(self) -> int:
        return math.ceil(len(self._batches) / self._processes)

    def __iter__(self) -> Iterator[PlannedBatch]:
        shuffled = list(self._batches)
        random.Random(f"{self._seed}/{self._epoch}").shuffle(shuffled)
        self._epoch += 1
        again = itertools.islice(itertools.cycle(shuffled), len(self) * self._processes)
        for indices in itertools.islice(again, self._rank, None, self._processes):
            yield PlannedBatch(indices)


@final
class StepOrder:
    """One process's batches without end, each with what the batches of its step hold together.

    Args:
        order: Of the batches of all processes.
        position: Where a step begins in it.
        sizes: Frames and phonemes of each utterance.
        accumulate: Batches of a step, in each process.
        rank: Which process this is.
        processes: How many there are.
    """

    def __init__(
        self,
        order: Order[list[int]],
        position: Position,
        sizes: Sequence[Size],
        accumulate: int,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._order = order
        self._position = position
        self._sizes = sizes
        self._per_step = accumulate * processes
        self._rank = rank
        self._processes = processes

    def __iter__(self) -> Iterator[PlannedBatch]:
        batches = self._order.starting_at(self._position)
        while step := list(itertools.islice(batches, self._per_step)):
            sizes = [self._sizes[index] for indices in step for index in indices]
            frames, phonemes = (sum(each) for each in zip(*sizes, strict=True))
            for indices in step[self._rank :: self._processes]:
                yield PlannedBatch(indices, (frames, phonemes, len(step)))
