"""`ProgressLines`: how far training has come, a line now and then, where no terminal is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, final

from lightning import Callback, LightningModule, Trainer
from rich.console import Console

from kokoro_core.model import TrainingBatch
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import Budget

FIRST, LAST = 10.0, 60.0
"""Seconds until the first line, and between two of them later; each pause is 10 longer."""


@final
class ProgressLines(Callback):
    """Prints a line after 10 seconds, then ever more rarely, once a minute at last, and at the end.

    Args:
        budget: Says how far training has come.
        history: Has the losses; it must come before this callback.
        console: Where the lines go; each is written at once.
        clock: Returns seconds.
    """

    def __init__(
        self,
        *,
        budget: Budget,
        history: History,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget
        self._history = history
        self._console = console
        self._clock = clock
        self._pause = FIRST
        self._started = self._due = 0.0
        self._done_at_start = 0.0
        self._printed = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        assert isinstance(pl_module, TrainingModule)
        self._started = self._clock()
        self._due = self._started + self._pause
        self._done_at_start = self._budget.progress(pl_module.step, pl_module.frames)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: TrainingBatch,
        batch_idx: int,
    ) -> None:
        """Print a line when a step has been noted, if it is time."""
        if self._clock() >= self._due:
            self._print(trainer)
            self._pause = min(LAST, self._pause + FIRST)
            self._due = self._clock() + self._pause

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the last figures."""
        self._print(trainer)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Print how far it came."""
        self._print(trainer)

    def _print(self, trainer: Trainer) -> None:
        if not self._history.training or not trainer.is_global_zero:
            return
        last = self._history.training[-1].step
        if last > self._printed:
            self._printed = last
            self._console.print(self.line(trainer), soft_wrap=True, markup=False, highlight=False)

    def line(self, trainer: Trainer) -> str:
        """Return the latest figures in words."""
        last = self._history.training[-1]
        done = self._budget.progress(last.step, self._history.frames)
        words = [
            f"{done:.0%}".replace("%", " %"),
            f"step {last.step}",
            losses_in_words(last.losses),
        ]
        if self._history.validation:
            words.append(f"held out {losses_in_words(self._history.validation[-1].losses)}")
        words.append(f"rate {trainer.optimizers[0].param_groups[0]['lr']:.2e}")
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
