"""Errors of durations and of boundaries between phonemes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

NEAR_MS = 25.0
"""A boundary that is at most so far from the true one counts as found."""


def duration_errors(mine: Sequence[int], true: Sequence[int], frame_ms: float) -> list[float]:
    """Return how far the duration of each phoneme is from the true one, in milliseconds.

    Raises:
        ValueError: The two are not of the same phonemes.
    """
    _check(mine, true)
    return [abs(own - other) * frame_ms for own, other in zip(mine, true, strict=True)]


def boundary_errors(mine: Sequence[int], true: Sequence[int], frame_ms: float) -> list[float]:
    """Return how far each boundary between phonemes is from the true one, in milliseconds.

    The start of the first phoneme and the end of the last are none: they are where the recording
    begins and ends.

    Raises:
        ValueError: The two are not of the same phonemes.
    """
    _check(mine, true)
    ends = zip(itertools.accumulate(mine), itertools.accumulate(true), strict=True)
    return [abs(own - other) * frame_ms for own, other in ends][:-1]


def _check(mine: Sequence[int], true: Sequence[int]) -> None:
    if len(mine) != len(true):
        raise ValueError(
            f"`mine` and `true` must be durations of the same phonemes, not of {len(mine)} and "
            f"{len(true)}."
        )
