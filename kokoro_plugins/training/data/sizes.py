"""`Sizes`: how long utterances are, in two columns, since a million pairs are 120 MB of Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self, final, overload

import numpy as np
from numpy.typing import ArrayLike

Size = tuple[int, int]
"""A number of frames and one of phonemes."""


@final
class Sizes(Sequence[Size]):
    """Frames and phonemes of utterances.

    Args:
        frames: Of each; an array, and what can be looked at as one, is not copied.
        phonemes: Likewise.
    """

    def __init__(self, frames: ArrayLike, phonemes: ArrayLike) -> None:
        self.frames = np.asarray(frames)
        self.phonemes = np.asarray(phonemes)

    @classmethod
    def of(cls, sizes: Iterable[Size]) -> Self:
        """Return the sizes of pairs."""
        # (n, 2) -> two of (n,)
        columns = np.array(list(sizes), np.int64).reshape(-1, 2).T
        return cls(*columns)

    @property
    def most(self) -> Size:
        """The most frames and the most phonemes of one; 0 of none."""
        return int(self.frames.max(initial=0)), int(self.phonemes.max(initial=0))

    def __len__(self) -> int:
        return len(self.frames)

    @overload
    def __getitem__(self, index: int) -> Size: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Size | Self:
        if isinstance(index, slice):
            return type(self)(self.frames[index], self.phonemes[index])
        return int(self.frames[index]), int(self.phonemes[index])
