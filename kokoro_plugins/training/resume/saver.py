"""`Saver`: saves the training every so many steps, at its end and when it is asked to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

from lightning import Callback, LightningModule, Trainer

from kokoro_core.model import TrainingBatch
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.resume.step_files import StepFiles
from kokoro_plugins.training.signals import StopSignals


@final
class Saver(Callback):
    """Saves at the end of steps, and nowhere else: no gradient is half accumulated there.

    It must come after all callbacks whose state is saved.

    Args:
        files: Where and how.
        every: Steps between two saves.
        data: Knows the position in the order of batches.
        history: Knows how good the step is.
        signals: Ask to stop.

    Attributes:
        saved: The step that was saved last in this process.
        stopped: Whether training ends since it was asked to.
    """

    def __init__(
        self,
        *,
        files: StepFiles,
        every: int,
        data: AlignedSpeech,
        history: History,
        signals: StopSignals,
    ) -> None:
        self.saved: int | None = None
        self.stopped = False
        self._files = files
        self._every = every
        self._data = data
        self._history = history
        self._signals = signals
        self._batches = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals back from Lightning, which would end training within a step."""
        self._signals.listen()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: TrainingBatch,
        batch_idx: int,
    ) -> None:
        """Save if it is time or asked for."""
        assert isinstance(pl_module, TrainingModule)
        self._batches += 1
        if pl_module.figures is None:
            return
        self.stopped = pl_module.figures.stop or self._asked(trainer)
        # A step that was passed over must not push a good one out of those that stay.
        is_time = pl_module.step % self._every == 0 and pl_module.bad is None
        if self.stopped or pl_module.finished or is_time:
            self._save(trainer, pl_module)
        if self.stopped or (self._asked(trainer) and self.saved == pl_module.step):
            self.stopped = trainer.should_stop = True

    def _asked(self, trainer: Trainer) -> bool:
        """Whether a signal came since the step's figures; several processes act on those alone."""
        return trainer.world_size == 1 and self._signals.received is not None

    def _save(self, trainer: Trainer, module: TrainingModule) -> None:
        self._data.move_on(self._batches * trainer.world_size)
        self._batches = 0
        last = self._history.validation[-1] if self._history.validation else None
        is_of_now = last is not None and last.step == module.step
        self._files.score = last.losses["loss"] if last is not None and is_of_now else None
        trainer.save_checkpoint(Path(f"step-{module.step}"))
        self.saved = module.step
