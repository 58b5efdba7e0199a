"""`Option`: a number with which a component speaks.

This file imports no torch, since params classes declare options.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Option:
    """A number with which a component speaks, such as a temperature; training has no options.

    Attributes:
        default: Its value where nobody sets it.
        low: The least value, or None.
        high: The largest value, or None.
        help: What it does, in one sentence.
    """

    default: float
    low: float | None = None
    high: float | None = None
    help: str = ""

    def checked(self, name: str, value: Any) -> float:
        """Return a value that is in range, whole if the default is.

        Raises:
            TypeError: It is not a number, or not a whole one.
            ValueError: It is out of range.
        """
        whole = isinstance(self.default, int)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"`{name}` must be a number, not {value!r}.")
        if whole and value != int(value):
            raise TypeError(f"`{name}` must be a whole number, not {value!r}.")
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        if not math.isfinite(value):
            raise ValueError(f"`{name}` must be a finite number, not {value}.")
        if not low <= value <= high:
            raise ValueError(f"`{name}` must be from {low:g} to {high:g}, not {value}.")
        return int(value) if whole else float(value)
