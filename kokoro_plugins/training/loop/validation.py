"""`Validation`: how the model does on what is held out, while it trains."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from kokoro_plugins.training.data.training_data import TrainingData
from kokoro_plugins.training.loop.bad_steps import WEIGHT_ADVICE, BadStep, bad_weight
from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.history import History
from kokoro_plugins.training.loop.module import TrainingModule, without_sum
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.processes.group import gathered


@final
class Validation(Observer):
    """Looks at what is held out every so many steps and at the end.

    A loop of its own, where Lightning has one too, because a validation belongs to the step that it
    follows: one that a signal ends is made up for when the training goes on, before its next step.
    Its sum weighs every loss as the spec does, whatever the schedule lets through in that step: the
    steps with the lowest are kept, and of a sum that grows they would always be the first.

    Args:
        data: What is held out.
        every: Steps between two looks.
        history: Where the losses are noted; it must come before this observer.

    Attributes:
        due: Whether the last step's validation is still to be done.
    """

    def __init__(self, *, data: TrainingData, every: int, history: History) -> None:
        self.due = False
        self._data = data
        self._every = every
        self._history = history

    def state_dict(self) -> dict[str, Any]:
        """Return whether a validation is due."""
        return {"due": self.due}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on with a validation that is due."""
        self.due = state_dict["due"]

    def on_start(self, module: TrainingModule) -> None:
        """Do what is due since the process before this one; training waits for it."""
        if self.due:
            self._validate(module)
        if self.due:
            module.stop()

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Validate if it is time."""
        self.due = module.finished or module.step % self._every == 0
        if self.due:
            self._validate(module)

    def _validate(self, module: TrainingModule) -> None:
        with module.speaking():
            losses = self._losses(module)
        if losses is None:
            return
        if not all(map(math.isfinite, losses.values())):
            first = bad_weight(module.model) or "no single weight"
            raise BadStep(
                f"The loss of what is held out is {losses['loss']} after step {module.step}; "
                f"the first bad tensor is the {first}; {WEIGHT_ADVICE}."
            )
        self._history.note_validation(module.step, losses)
        self.due = False

    @torch.no_grad()
    def _losses(self, module: TrainingModule) -> dict[str, float] | None:
        """Return the means over all frames or phonemes, or None if a signal came.

        Several processes look at some batches each, and finish all the same.
        """
        sums: dict[str, Tensor] = {}
        totals: dict[str, Tensor] = {}
        for index, batch in enumerate(self._batches(module)):
            if module.is_alone and module.asked_to_stop:
                return None
            with module.trainer.precision_plugin.val_step_context():
                losses = module.validation_step(batch.to(module.device), index)
            for name, loss in without_sum(losses).items():
                places = module.task.valid_places(name, batch)
                totals[name] = totals.get(name, 0) + places
                sums[name] = sums.get(name, 0) + loss.double().cpu() * places
        if not module.is_alone:
            sums, totals = (
                added(gathered({name: float(each) for name, each in own.items()}))
                for own in (sums, totals)
            )
        means = {name: each / totals[name] for name, each in sums.items()}
        weighed = {"loss": module.weigh(means), **means}
        return {name: float(each) for name, each in weighed.items()}

    def _batches(self, module: TrainingModule) -> Iterable[Any]:
        if module.is_alone:
            return self._data.val_dataloader()
        return self._data.val_share(module.global_rank, module.trainer.world_size)


def added(found: Sequence[Mapping[str, float]]) -> dict[str, Tensor]:
    """Return the sums of several processes by name; one that had nothing to look at has none."""
    names = dict.fromkeys(name for each in found for name in each)
    return {
        name: torch.tensor(
            [each[name] for each in found if name in each], dtype=torch.float64
        ).sum()
        for name in names
    }
