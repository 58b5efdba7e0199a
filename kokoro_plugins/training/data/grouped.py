"""`FileBatches`: an order that reads a few files of a corpus at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from kokoro_plugins.training.data.batching import Order, as_lengths, mixed


@final
class FileBatches(Order[list[int]]):
    """Batches of similar length, each of utterances that lie in the same few files.

    An epoch shuffles the files and takes some at once; their utterances are put into batches as
    those of a whole corpus are by `LengthBatches`. So a disk that is slow at random reads, or a
    network, gives each file once an epoch. How well an epoch is mixed depends on how the
    utterances were distributed among the files.

    Args:
        lengths: Frames of each utterance.
        files: The number of the file in which each lies.
        at_once: Files whose utterances are mixed.
        batch_frames: As of `LengthBatches`.
        seed: Decides the order.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        files: Sequence[int],
        *,
        at_once: int,
        batch_frames: int,
        seed: int = 0,
    ) -> None:
        if at_once < 1:
            raise ValueError(f"`files_at_once` must be 1 or more, not {at_once}.")
        self._lengths = as_lengths(lengths)
        numbers = np.asarray(files)
        self._by_file = np.argsort(numbers, kind="stable")
        counts = np.unique(numbers, return_counts=True)[1]
        self._ends = np.cumsum(counts)
        self._starts = self._ends - counts
        self._at_once = at_once
        self._batch_frames = batch_frames
        self._seed = seed
        self._last: tuple[int, list[list[int]]] | None = None

    def epoch(self, number: int) -> list[list[int]]:
        """Return the batches of an epoch; each utterance is in one of them."""
        if self._last is None or self._last[0] != number:
            self._last = number, self._make(random.Random(f"{self._seed}/{number}"))
        return self._last[1]

    def _make(self, generator: random.Random) -> list[list[int]]:
        files = list(range(len(self._ends)))
        generator.shuffle(files)
        batches: list[list[int]] = []
        for first in range(0, len(files), self._at_once):
            indices = np.concatenate(
                [self._in_file(each) for each in files[first : first + self._at_once]]
            )
            for batch in mixed(generator, self._lengths[indices], self._batch_frames):
                batches.append(indices[batch].tolist())
        return batches

    def _in_file(self, file: int) -> NDArray[np.int64]:
        return self._by_file[self._starts[file] : self._ends[file]]
