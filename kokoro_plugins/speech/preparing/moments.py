"""Sums of many numbers, from which their mean and standard deviation follow."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Moments:
    """How many numbers there were, their sum and that of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Any) -> Moments:
        """Return the moments of the numbers in an array."""
        wide = np.asarray(values, np.float64)
        return cls(wide.size, float(wide.sum()), float(np.square(wide).sum()))

    @classmethod
    def sum(cls, parts: Iterable[Moments]) -> Moments:
        """Return the moments of all numbers of several."""
        listed = list(parts)
        return cls(
            sum(each.count for each in listed),
            math.fsum(each.total for each in listed),
            math.fsum(each.squares for each in listed),
        )

    @property
    def mean(self) -> float:
        """Of all numbers, at least one."""
        return self.total / self.count

    @property
    def std(self) -> float:
        """Of all numbers, at least one."""
        return math.sqrt(max(self.squares / self.count - self.mean**2, 0.0))
