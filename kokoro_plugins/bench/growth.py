"""How a cost grows with length."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from math import log


@dataclass(frozen=True)
class Growth:
    """A cost by length, as a line and as a power.

    Attributes:
        base: Seconds at length 0, by the line.
        slope: Seconds that each frame of length adds, by the line.
        fit: The share of the variance that the line explains (R²).
        exponent: The power of the length that the cost grows with: 0 flat, 1 in proportion.
        ratio: The cost at the longest length over that at the shortest.
    """

    base: float
    slope: float
    fit: float
    exponent: float
    ratio: float


def fit_growth(costs: Mapping[int, float]) -> Growth:
    """Fit a cost by length, with least squares.

    Args:
        costs: Seconds by length.

    Raises:
        ValueError: There are fewer than two lengths, or a length or cost is not above 0.
    """
    if len(costs) < 2 or min(costs) <= 0 or min(costs.values()) <= 0:
        raise ValueError(f"Growth needs two lengths or more and costs above 0, not {dict(costs)}.")
    lengths = sorted(costs)
    seconds = [costs[each] for each in lengths]
    line = statistics.linear_regression(lengths, seconds)
    power = statistics.linear_regression(
        [log(each) for each in lengths], [log(each) for each in seconds]
    )
    flat = len(set(seconds)) == 1
    return Growth(
        base=line.intercept,
        slope=line.slope,
        fit=1.0 if flat else statistics.correlation(lengths, seconds) ** 2,
        exponent=power.slope,
        ratio=seconds[-1] / seconds[0],
    )
