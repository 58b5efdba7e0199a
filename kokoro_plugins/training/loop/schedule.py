"""How far a training has come."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final


class Budget(ABC):
    """What a training may use up; in words when it is printed."""

    @abstractmethod
    def start(self, seconds: float = 0.0) -> None:
        """Note that the training goes on now, having used up some seconds before."""

    @abstractmethod
    def progress(self, step: int, frames: int) -> float:
        """Return how much is used up after that many steps and frames, from 0 to 1."""

    @property
    def seconds(self) -> float:
        """Seconds used up so far; 0 where time does not count."""
        return 0.0

    @property
    def by_the_clock(self) -> bool:
        """Whether what is used up is time, so that no two trainings are the same."""
        return False

    def told(self, seconds: float) -> None:  # noqa: B027 (nothing follows from it)
        """Go by another clock from now on: that of the first of several processes, when it told.

        The rate of learning and the end must be the same in all of them.

        Args:
            seconds: What it showed.
        """


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

    def start(self, seconds: float = 0.0) -> None:
        """Do nothing: steps are counted from 0 anyway."""

    def progress(self, step: int, frames: int) -> float:
        """Return the share of the steps that is done."""
        return min(1.0, step / self._steps)

    def __str__(self) -> str:
        return f"{self._steps} steps"


@final
class FrameBudget(Budget):
    """A number of mel frames trained on, padding not counted: the same learning on any machine.

    Args:
        frames: At least 1.
    """

    def __init__(self, frames: int) -> None:
        if frames < 1:
            raise ValueError(f"`frames` must be 1 or more, not {frames}.")
        self._frames = frames
        self._given_back = 0

    def start(self, seconds: float = 0.0) -> None:
        """Do nothing: frames are counted from 0 anyway."""

    def progress(self, step: int, frames: int) -> float:
        """Return the share of the frames that is done."""
        return min(1.0, max(0, frames - self._given_back) / self._frames)

    def extend(self, share: float, frames: int) -> None:
        """Let a share of it be left after so many frames; the learning rate goes back as well."""
        self._given_back = frames - round((1 - share) * self._frames)

    def __str__(self) -> str:
        return f"{self._frames:,} frames"


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
        self._limit = minutes * 60
        self._clock = clock
        self._started: float | None = None
        self._told: float | None = None

    def start(self, seconds: float = 0.0) -> None:
        """Start the clock, which some seconds have gone from already."""
        self._started, self._told = self._clock() - seconds, None

    def told(self, seconds: float) -> None:
        """Let so many seconds have passed until another number is told."""
        self._told = seconds

    def progress(self, step: int, frames: int) -> float:
        """Return the share of the time that has passed; 0 before the start."""
        seconds = self.seconds if self._told is None else self._told
        return min(1.0, seconds / self._limit)

    @property
    def seconds(self) -> float:
        """Seconds since the start by the clock of this process; 0 before it."""
        return 0.0 if self._started is None else self._clock() - self._started

    @property
    def by_the_clock(self) -> bool:
        """True."""
        return True

    def __str__(self) -> str:
        return f"{self._limit / 60:g} minutes"


@final
class Stopwatch:
    """Seconds of a clock without its pauses.

    Args:
        clock: Returns seconds. Processor time of this process passes like time on the wall on a
            quiet machine, and stands still while other processes have the processor: trainings
            compared by it get the same work done on a busy machine too.
        threads: What the clock counts several times over.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time, threads: int = 1) -> None:
        self._clock = clock
        self._threads = threads
        self._paused = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self._clock() / self._threads - self._paused

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no time pass within the context."""
        before = self()
        try:
            yield
        finally:
            self._paused += self() - before
