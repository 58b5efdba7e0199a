"""`Looks`: how a model does on what is held out, at shares of its budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from kokoro_plugins.training.comparison.table import Look
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.evaluation import evaluate
from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.loop.schedule import Stopwatch


@final
class Looks(Observer):
    """Lets the model speak freely when a share of the budget is used up, with the clock stopped.

    Args:
        data: What is held out.
        shares: Above 0, in rising order; the last is 1.
        stopwatch: Stands still meanwhile.

    Attributes:
        looks: What was seen so far.
    """

    def __init__(
        self, *, data: AlignedSpeech, shares: Sequence[float], stopwatch: Stopwatch
    ) -> None:
        self.looks: list[Look] = []
        self._data = data
        self._shares = shares
        self._stopwatch = stopwatch

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Look if it is time."""
        used = module.progress
        due = 1.0 if module.finished else self._shares[min(len(self.looks), self._last)]
        if used >= due and len(self.looks) <= self._last:
            with self._stopwatch.paused(), module.speaking():
                self.looks.append(self._look(module, due))

    @property
    def _last(self) -> int:
        return len(self._shares) - 1

    def _look(self, module: TrainingModule, share: float) -> Look:
        batches = (each.to(module.device) for each in self._data.val_dataloader())
        figures = evaluate(module.model, batches)
        return Look(
            share=share,
            step=module.step,
            frames=module.frames,
            teacher_forced=figures.teacher_forced,
            free_running=figures.free_running,
            ended_in_time=figures.ended_in_time,
        )
