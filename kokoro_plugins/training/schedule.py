"""How far a training has come, and the learning rate there."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

FINAL_SHARE = 0.02
"""The learning rate at the end, as a share of its peak."""


class Budget(ABC):
    """What a training may use up."""

    @abstractmethod
    def start(self) -> None:
        """Note that the training begins now."""

    @abstractmethod
    def progress(self, step: int) -> float:
        """Return how much is used up after that many steps, from 0 to 1."""


@final
class StepBudget(Budget):
    """A number of steps.

    Args:
        steps: At least 1.
    """

    def __init__(self, steps: int) -> None:
        if steps < 1:
            raise ValueError(f"`steps` must be 1 or more, not {steps}.")
        self._steps = steps

    def start(self) -> None:
        """Do nothing: steps are counted from 0 anyway."""

    def progress(self, step: int) -> float:
        """Return the share of the steps that is done."""
        return min(1.0, step / self._steps)


@final
class TimeBudget(Budget):
    """Minutes by the clock, from `start` on.

    Args:
        minutes: Above 0.
        clock: Returns seconds.
    """

    def __init__(self, minutes: float, clock: Callable[[], float] = time.monotonic) -> None:
        if not 0 < minutes < math.inf:
            raise ValueError(f"`minutes` must be a number above 0, not {minutes}.")
        self._seconds = minutes * 60
        self._clock = clock
        self._started: float | None = None

    def start(self) -> None:
        """Start the clock."""
        self._started = self._clock()

    def progress(self, step: int) -> float:
        """Return the share of the time that has passed; 0 before the start."""
        if self._started is None:
            return 0.0
        return min(1.0, (self._clock() - self._started) / self._seconds)


def rate_factor(step: int, progress: float, *, warmup_steps: int) -> float:
    """Return the learning rate as a share of its peak: linear warm-up, then half a cosine.

    The warm-up counts steps and the cosine the whole training (Loshchilov and Hutter, 2017), so a
    training that ends by the clock also ends at the lowest rate.

    Args:
        step: Steps done before this one.
        progress: From 0 to 1.
        warmup_steps: 0 for none.
    """
    warmup = min(1.0, (step + 1) / (warmup_steps + 1))
    cosine = (1 + math.cos(math.pi * progress)) / 2
    return warmup * (FINAL_SHARE + (1 - FINAL_SHARE) * cosine)
