"""`History`: the losses of a training, step by step."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any, final

from lightning import Callback, LightningModule, Trainer

from kokoro_plugins.training.data import Batch


@dataclass(frozen=True)
class Entry:
    """What a step, or a validation after it, came to.

    Attributes:
        step: From 1.
        seconds: Since training began.
        losses: The weighted sum as ``loss`` and each term by its name.
    """

    step: int
    seconds: float
    losses: dict[str, float]


@final
@dataclass
class History(Callback):
    """Records losses while Lightning trains.

    Attributes:
        training: One entry a step.
        validation: One entry a validation.
        frames: Frames trained on, padding not counted.
        seconds: How long training took, validation included.
    """

    training: list[Entry] = field(default_factory=list)
    validation: list[Entry] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
    _started: float = 0.0

    @property
    def frames_per_second(self) -> float:
        """Frames trained on in a second."""
        return self.frames / self.seconds if self.seconds else 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Note the losses of a step.

        Raises:
            ValueError: The loss is no number any more.
        """
        self.seconds = time.monotonic() - self._started
        self.frames += int(batch.lengths.sum())
        self.training.append(_finite(self._entry(trainer, outputs["terms"], "train/")))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the losses of a validation."""
        self.seconds = time.monotonic() - self._started
        self.validation.append(self._entry(trainer, trainer.callback_metrics, "val/"))

    def _entry(self, trainer: Trainer, terms: Any, prefix: str) -> Entry:
        losses = {
            name.removeprefix(prefix): float(loss)
            for name, loss in terms.items()
            if name.startswith(prefix)
        }
        return Entry(trainer.global_step, self.seconds, losses)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        return {
            "frames": self.frames,
            "seconds": self.seconds,
            "training": [vars(each) for each in self.training],
            "validation": [vars(each) for each in self.validation],
        }


def _finite(entry: Entry) -> Entry:
    loss = entry.losses["loss"]
    if not math.isfinite(loss):
        raise ValueError(
            f"The loss is {loss} at step {entry.step}, and training cannot recover from that; "
            f"a lower `--lr` or a longer `--warmup` usually helps."
        )
    return entry
