"""`ProgressLine`: one line that says how far training has come."""

from __future__ import annotations

from typing import final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer

USUAL = frozenset(
    {"loss", "mel_l1", "mel_mse", "mel_l1_coarse", "mel_mse_coarse", "duration", "stop"}
)
"""Losses that every model has and a narrow line has no room for; a component's own are shown."""


@final
class ProgressLine(Observer):
    """Shows the share of the budget, the losses and the speed with Rich.

    Args:
        history: Has the losses; it must come before this observer.
        console: Where the line is shown.
    """

    def __init__(self, *, history: History, console: Console) -> None:
        self._history = history
        self._progress = Progress(
            BarColumn(bar_width=8),
            TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
        )
        self._task: TaskID | None = None

    def on_start(self, module: TrainingModule) -> None:
        """Show the line, in the first of several processes."""
        if not module.trainer.is_global_zero:
            return
        self._task = self._progress.add_task("training", total=1.0, figures="")
        self._progress.start()

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Bring the line up to date after a step."""
        if self._task is not None and self._history.training:
            self._progress.update(self._task, completed=module.progress, figures=self.figures())

    def figures(self) -> str:
        """Return the latest figures in words, few enough for a terminal of 80 columns."""
        last = self._history.training[-1]
        words = [f"step {last.step}", f"loss {last.losses['loss']:.3f}"]
        words += [f"{name} {loss:.3f}" for name, loss in last.losses.items() if name not in USUAL]
        if self._history.validation:
            words.append(f"held out {self._history.validation[-1].losses['loss']:.3f}")
        return " · ".join([*words, f"{self._history.frames_per_second:,.0f} frames/s"])

    def on_end(self, module: TrainingModule) -> None:
        """Leave the last state of the line standing, and give the terminal back."""
        self._progress.stop()
