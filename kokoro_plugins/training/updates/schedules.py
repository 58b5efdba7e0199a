"""The courses that a learning rate can take."""

from __future__ import annotations

import math
from typing import final

from kokoro_core.contracts import Schedule

FINAL_SHARE = 0.02
"""The learning rate at the end, as a share of its peak."""


def warmup(done: int, warmup_steps: int) -> float:
    """Return the share of the peak that a linear warm-up has reached in the step after so many."""
    return min(1.0, (done + 1) / (warmup_steps + 1))


@final
class WarmupCosine(Schedule):
    """A linear warm-up, then half a cosine to the end of the training.

    Args:
        warmup_steps: 0 for none.
    """

    def __init__(self, *, warmup_steps: int = 100) -> None:
        self._warmup_steps = warmup_steps

    def factor(self, done: int, progress: float) -> float:
        """Return the share of the peak."""
        return rate_factor(done, progress, warmup_steps=self._warmup_steps)


@final
class Noam(Schedule):
    """A linear warm-up, then the inverse root of the steps (Vaswani et al., 2017, section 5.3).

    Args:
        warmup_steps: The step at which the rate is at its peak, from 1.
    """

    def __init__(self, *, warmup_steps: int = 4000) -> None:
        self._warmup_steps = warmup_steps

    def factor(self, done: int, progress: float) -> float:
        """Return the share of the peak."""
        of_peak = (done + 1) / self._warmup_steps
        return min(of_peak, 1 / math.sqrt(of_peak))


@final
class Exponential(Schedule):
    """A factor every so many steps.

    Args:
        factor: What the rate is multiplied by.
        every: Steps after which it is.
        warmup_steps: Of a linear warm-up before; 0 for none.
    """

    def __init__(self, *, factor: float = 0.999, every: int = 1000, warmup_steps: int = 0) -> None:
        self._factor = factor
        self._every = every
        self._warmup_steps = warmup_steps

    def factor(self, done: int, progress: float) -> float:
        """Return the share of the peak."""
        decayed: float = self._factor ** (done // self._every)
        return warmup(done, self._warmup_steps) * decayed


@final
class Constant(Schedule):
    """A linear warm-up, and the peak from then on.

    Args:
        warmup_steps: 0 for none.
    """

    def __init__(self, *, warmup_steps: int = 0) -> None:
        self._warmup_steps = warmup_steps

    def factor(self, done: int, progress: float) -> float:
        """Return the share of the peak."""
        return warmup(done, self._warmup_steps)


def rate_factor(step: int, progress: float, *, warmup_steps: int) -> float:
    """Return the learning rate as a share of its peak: linear warm-up, then half a cosine.

    The warm-up counts steps and the cosine the whole training (Loshchilov and Hutter, 2017), so a
    training that ends by the clock also ends at the lowest rate.

    Args:
        step: Steps done before this one.
        progress: From 0 to 1.
        warmup_steps: 0 for none.
    """
    cosine = (1 + math.cos(math.pi * progress)) / 2
    return warmup(step, warmup_steps) * (FINAL_SHARE + (1 - FINAL_SHARE) * cosine)
