"""`ProgressLines`: how far training has come, a line now and then, where no terminal is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import final

from rich.console import Console

from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer

FIRST, LAST = 10.0, 60.0
"""Seconds until the first line, and between two of them later; each pause is 10 longer."""


@final
class ProgressLines(Observer):
    """Prints a line after 10 seconds, then ever more rarely, once a minute at last, and at the end.

    Args:
        history: Has the losses; it must come before this observer.
        console: Where the lines go; each is written at once.
        clock: Returns seconds.
    """

    def __init__(
        self, *, history: History, console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._history = history
        self._console = console
        self._clock = clock
        self._pause = FIRST
        self._started = self._due = 0.0
        self._done_at_start = 0.0
        self._printed = 0

    def on_start(self, module: TrainingModule) -> None:
        """Start the clock."""
        self._started = self._clock()
        self._due = self._started + self._pause
        self._done_at_start = module.progress

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Print a line if it is time."""
        if self._clock() >= self._due:
            self._print(module)
            self._pause = min(LAST, self._pause + FIRST)
            self._due = self._clock() + self._pause

    def on_end(self, module: TrainingModule) -> None:
        """Print how far it came."""
        self._print(module)

    def _print(self, module: TrainingModule) -> None:
        if not self._history.training or not module.trainer.is_global_zero:
            return
        last = self._history.training[-1].step
        if last > self._printed:
            self._printed = last
            self._console.print(self.line(module), soft_wrap=True, markup=False, highlight=False)

    def line(self, module: TrainingModule) -> str:
        """Return the latest figures in words."""
        last = self._history.training[-1]
        done = module.budget.progress(last.step, self._history.frames)
        words = [
            f"{done:.0%}".replace("%", " %"),
            f"step {last.step}",
            losses_in_words(last.losses),
        ]
        if self._history.validation:
            words.append(f"held out {losses_in_words(self._history.validation[-1].losses)}")
        words.append(f"rate {module.rate:.2e}")
        words.append(f"{self._history.frames_per_second:,.0f} frames/s")
        gained = done - self._done_at_start
        if gained > 0 and done < 1:
            seconds = (self._clock() - self._started) * (1 - done) / gained
            words.append(f"{in_words(seconds)} left")
        return " · ".join(words)


def losses_in_words(losses: dict[str, float]) -> str:
    """Return the weighted sum and, in brackets, every term."""
    terms = [f"{name} {loss:.3f}" for name, loss in losses.items() if name != "loss"]
    return f"loss {losses['loss']:.3f} ({', '.join(terms)})"


def in_words(seconds: float) -> str:
    """Return a time as hours, minutes and seconds: ``1:02:03``, or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
