"""`History`: the losses of a training, step by step."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer


@dataclass(frozen=True)
class LossEntry:
    """What a step, or a validation after it, came to.

    Attributes:
        step: From 1.
        seconds: Since training began, pauses between two processes left out.
        losses: The weighted sum as ``loss`` and each term by its name.
    """

    step: int
    seconds: float
    losses: dict[str, float]


@final
@dataclass
class History(Observer):
    """Records losses while Lightning trains, and goes on with those of a checkpoint.

    Attributes:
        training: One entry a step.
        validation: One entry a validation.
        skipped: In words, each step that was passed over since it was bad.
        frames: Frames trained on, padding not counted.
        seconds: How long training took, validation included.
    """

    training: list[LossEntry] = field(default_factory=list)
    validation: list[LossEntry] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
    _started: float = 0.0

    @property
    def frames_per_second(self) -> float:
        """Frames trained on in a second."""
        return self.frames / self.seconds if self.seconds else 0.0

    def on_start(self, module: TrainingModule) -> None:
        """Start the clock."""
        self._started = time.monotonic() - self.seconds

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Note the losses of a step at its end."""
        self.seconds = time.monotonic() - self._started
        if module.bad is not None:
            self.skipped.append(module.bad)
            return
        self.frames += figures.frames
        self.training.append(LossEntry(module.step, self.seconds, figures.losses))

    def note_validation(self, step: int, losses: dict[str, float]) -> None:
        """Note what a validation came to."""
        self.seconds = time.monotonic() - self._started
        self.validation.append(LossEntry(step, self.seconds, losses))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        return {
            "frames": self.frames,
            "seconds": self.seconds,
            "training": [vars(each) for each in self.training],
            "validation": [vars(each) for each in self.validation],
            "skipped": self.skipped,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return everything for a checkpoint; the entries as columns, since there are many."""
        return {
            "frames": self.frames,
            "seconds": self.seconds,
            "training": _columns(self.training),
            "validation": _columns(self.validation),
            "skipped": list(self.skipped),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on with the entries of a checkpoint."""
        self.frames, self.seconds = state_dict["frames"], state_dict["seconds"]
        self.training = _entries(state_dict["training"])
        self.validation = _entries(state_dict["validation"])
        self.skipped = list(state_dict["skipped"])


def _columns(entries: Sequence[LossEntry]) -> dict[str, Any]:
    """Return entries as tensors: float64, so that every number stays as it is.

    A term that an entry lacks is NaN there, which no entry has.
    """
    names = {name: None for each in entries for name in each.losses}
    return {
        "step": torch.tensor([each.step for each in entries], dtype=torch.int64),
        "seconds": _column([each.seconds for each in entries]),
        "losses": {
            name: _column([each.losses.get(name, math.nan) for each in entries]) for name in names
        },
    }


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _entries(columns: Mapping[str, Any]) -> list[LossEntry]:
    names = list(columns["losses"])
    rows = zip(*(columns["losses"][name].tolist() for name in names), strict=True)
    losses = [
        {name: loss for name, loss in zip(names, row, strict=True) if not math.isnan(loss)}
        for row in rows
    ]
    steps, seconds = columns["step"].tolist(), columns["seconds"].tolist()
    return [LossEntry(*each) for each in zip(steps, seconds, losses, strict=True)]
