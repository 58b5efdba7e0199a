"""`Saver`: saves the training every so many steps, at its end and when it is asked to stop."""

from __future__ import annotations

from pathlib import Path
from typing import final

from kokoro_plugins.training.data.training_data import TrainingData
from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.resume.step_files import StepFiles


@final
class Saver(Observer):
    """Saves at the end of steps, and nowhere else: no gradient is half accumulated there.

    It must come after all observers whose state is saved.

    Args:
        files: Where and how.
        every: Steps between two saves.
        data: Knows the position in the order of batches.
        history: Knows how good the step is.

    Attributes:
        saved: The step that was saved last in this process.
        stopped: Whether training ends since it was asked to.
    """

    def __init__(
        self, *, files: StepFiles, every: int, data: TrainingData, history: History
    ) -> None:
        self.saved: int | None = None
        self.stopped = False
        self._files = files
        self._every = every
        self._data = data
        self._history = history
        self._steps = 0

    def on_start(self, module: TrainingModule) -> None:
        """Take the signals back from Lightning, which would end training within a step."""
        module.signals.listen()

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Save if it is time or asked for."""
        self._steps += 1
        self.stopped = figures.stop or self._asked_since(module)
        # A step that was passed over must not push a good one out of those that stay.
        is_time = module.step % self._every == 0 and module.bad is None
        if self.stopped or module.finished or is_time:
            self._save(module)
        if self.stopped or (self._asked_since(module) and self.saved == module.step):
            self.stopped = True
            module.stop()

    @staticmethod
    def _asked_since(module: TrainingModule) -> bool:
        """Whether a signal came since the step's figures; several processes go by those alone."""
        return module.is_alone and module.asked_to_stop

    def _save(self, module: TrainingModule) -> None:
        self._data.move_on(self._steps * module.batches_per_step)
        self._steps = 0
        last = self._history.validation[-1] if self._history.validation else None
        is_of_now = last is not None and last.step == module.step
        self._files.score = last.losses["loss"] if last is not None and is_of_now else None
        module.trainer.save_checkpoint(Path(f"step-{module.step}"))
        self.saved = module.step
