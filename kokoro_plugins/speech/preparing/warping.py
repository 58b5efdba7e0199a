"""Dynamic time warping of one mel onto another (Sakoe and Chiba, 1978)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DYNAMIC_RANGE = 7.0
"""Natural logarithms below the loudest number of a mel, 61 dB, that are told apart."""

STRAIGHT = 0.05
"""What a step off the diagonal costs more, as a share of the mean distance of frames.

Natural speech is paced otherwise than espeak-ng's: 70 % of its boundaries come within 25 ms, with
0.3 it is 65 %.
"""


def warp(spoken: Floats, recorded: Floats) -> tuple[NDArray[np.int64], float]:
    """Return for each frame of one mel the first frame of another that it is mapped to.

    Each channel has its mean taken off, so that another voice or microphone matters less.

    Shape:
        spoken: (A, M). recorded: (B, M). Returns: (A,) never falling, and the mean distance of the
        frames that belong together, 1 being that of any two.
    """
    cost = distances(level(spoken), level(recorded))
    mean = float(cost.mean()) or 1.0
    steps = _steps(cost / mean)
    first = np.zeros(len(spoken), np.int64)
    row, column = len(spoken), len(recorded)
    total, length = 0.0, 0
    while row and column:
        first[row - 1] = column - 1
        total, length = total + float(cost[row - 1, column - 1]), length + 1
        step = steps[row, column]
        row, column = row - (step != 2), column - (step != 1)
    return first, total / length / mean


def level(mel: Floats) -> Floats:
    """Return a mel without its quietest parts and the mean of each channel."""
    audible = np.maximum(mel, mel.max() - DYNAMIC_RANGE)
    return np.asarray(audible - audible.mean(0))


def distances(first: Floats, second: Floats) -> Floats:
    """Return the Euclidean distance of each two frames: (A, M), (B, M) -> (A, B)."""
    squares = np.square(first).sum(1)[:, None] + np.square(second).sum(1)[None]
    return np.asarray(np.sqrt(np.maximum(squares - 2 * first @ second.T, 0.0)))


def _steps(cost: Floats) -> NDArray[np.int8]:
    """Return how the cheapest path comes to each pair: 0 from both before, 1 and 2 from one.

    All pairs of a diagonal are found at once, since each needs only those of two diagonals before.

    Shape:
        cost: (A, B). Returns: (A + 1, B + 1).
    """
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    steps = np.zeros((rows + 1, columns + 1), np.int8)
    for diagonal in range(2, rows + columns + 1):
        row = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        column = diagonal - row
        ways = np.stack(
            [
                total[row - 1, column - 1],
                total[row - 1, column] + STRAIGHT,
                total[row, column - 1] + STRAIGHT,
            ]
        )
        steps[row, column] = ways.argmin(0)
        total[row, column] = cost[row - 1, column - 1] + ways.min(0)
    return steps
