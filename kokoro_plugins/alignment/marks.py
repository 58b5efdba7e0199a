"""Marks: phonemes without a sound of their own, which no search can find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sounds:
    """The phonemes of a batch that have a sound, moved to the front of their rows.

    Attributes:
        order: (B, N) int64, the phoneme at each place: first the sounds, then marks and padding.
        padding_mask: (B, N) bool, what is no sound, in that order.
    """

    order: Tensor
    padding_mask: Tensor

    @classmethod
    def of(cls, padding_mask: Tensor, mark: Tensor | None) -> Self:
        """Find the sounds; a row that has marks alone keeps them.

        Shape:
            padding_mask: (B, N) bool. mark: (B, N) int64, 1 at marks, or None for no marks.

        Raises:
            ValueError: Another number than 0 or 1 stands at a phoneme.
        """
        silent = padding_mask
        if mark is not None:
            _check(mark.masked_fill(padding_mask, 0))
            silent = padding_mask | (mark == 1)
            silent = torch.where(silent.all(1, keepdim=True), padding_mask, silent)
        order = silent.to(torch.int64).argsort(dim=1, stable=True)
        return cls(order, silent.gather(1, order))

    def only(self, x: Tensor, dim: int) -> Tensor:
        """Return x, which has the phonemes along a dimension, in the order of the sounds.

        Shape:
            x: (B, N, T) for `dim` 1, (B, T, N) for 2. Returns: the same.
        """
        return x.gather(dim, self._index(x, dim))

    def back(self, x: Tensor, dim: int) -> Tensor:
        """Return x with the sounds where they were and 0 at all else; `only` undone.

        Shape:
            x: (B, N), (B, N, T) or (B, T, N). Returns: the same.
        """
        return torch.zeros_like(x).scatter(dim, self._index(x, dim), x)

    def durations(self, found: Tensor) -> Tensor:
        """Return the frames of all phonemes: a mark has one of the sound after it.

        It has none where that sound has a single frame, or where no sound follows at once.

        Shape:
            found: (B, N) int64, those of the sounds, in their order. Returns: (B, N) int64.
        """
        frames = self.back(found, 1)
        # A sound has a frame at least, so that none without one is a mark or padding.
        taken = torch.zeros_like(frames)
        taken[:, :-1] = ((frames[:, :-1] == 0) & (frames[:, 1:] >= 2)).to(frames.dtype)
        return frames + taken - taken.roll(1, 1)

    def _index(self, x: Tensor, dim: int) -> Tensor:
        if x.dim() == 2:
            return self.order
        # (B, N) -> (B, N, T) or (B, T, N)
        return self.order.unsqueeze(3 - dim).expand_as(x)


def _check(mark: Tensor) -> None:
    wrong = None if mark.is_meta else mark[(mark != 0) & (mark != 1)]
    if wrong is not None and wrong.numel():
        raise ValueError(
            f"`mark` must be 1 at a phoneme without a sound of its own and 0 at any other, not "
            f"{wrong[0].item()}."
        )
