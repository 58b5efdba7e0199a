"""`ExampleSchedule`."""

from __future__ import annotations

from typing import final

from kokoro_core.contracts import Schedule


@final
class ExampleSchedule(Schedule):
    """A trapezoid.

    Args:
        warmup_steps: Steps until the peak; 0 for none.
        last: The share of the training in which the rate goes down.
    """

    def __init__(self, *, warmup_steps: int, last: float) -> None:
        self._warmup_steps = warmup_steps
        self._last = last

    def factor(self, done: int, progress: float) -> float:
        """Return the rate of the next step as a share of its peak."""
        up = (done + 1) / (self._warmup_steps + 1)
        down = (1 - progress) / self._last
        return max(0.0, min(1.0, up, down))
