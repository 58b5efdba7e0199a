"""`CropBatches`: which parts of which recordings make up a batch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple, final

from kokoro_plugins.training.data.batching import Order


class Crop(NamedTuple):
    """A part of an utterance.

    Attributes:
        utterance: Its index.
        start: Its first frame.
    """

    utterance: int
    start: int


class PlannedCrops(NamedTuple):
    """A batch before it is cut.

    Attributes:
        crops: What it is of.
        of_step: Rows and number of all batches of its step; None: it is one by itself.
    """

    crops: list[Crop]
    of_step: tuple[int, int] | None = None


@final
class CropBatches(Order[list[Crop]]):
    """Batches of crops in random order, without end.

    An epoch cuts each utterance into as many crops as it has room for, beginning at a random frame,
    and shuffles all of them; an utterance shorter than a crop is one.

    Args:
        lengths: Frames of each utterance, at least one utterance.
        crop_frames: Frames of a crop.
        rows: Crops of a batch; the last of an epoch may have fewer.
        seed: Decides the order.
    """

    def __init__(
        self, lengths: Sequence[int], *, crop_frames: int, rows: int, seed: int = 0
    ) -> None:
        self._lengths = list(lengths)
        self._crop_frames = crop_frames
        self._rows = rows
        self._seed = seed

    def epoch(self, number: int) -> list[list[Crop]]:
        """Return the batches of an epoch."""
        generator = random.Random(f"{self._seed}/{number}")
        crops: list[Crop] = []
        for index, length in enumerate(self._lengths):
            count = max(1, length // self._crop_frames)
            first = generator.randint(0, max(0, length - count * self._crop_frames))
            crops += [Crop(index, first + each * self._crop_frames) for each in range(count)]
        generator.shuffle(crops)
        return [crops[first : first + self._rows] for first in range(0, len(crops), self._rows)]
