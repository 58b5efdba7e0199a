"""`TrainingLog`: hands what a training comes to, step by step, to where it is logged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.history import History, LossEntry
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.loop.random_states import undrawn
from kokoro_plugins.training.settings import EVERY_STAGE
from kokoro_plugins.training.watching.samples import Samples
from kokoro_plugins.training.watching.sinks import HELD_OUT, Sink


@final
class TrainingLog(Observer):
    """Logs losses, rates and gradient norms of each step, and what is held out at each validation.

    What is held out is spoken then and drawn; nothing that training draws from is moved by it.

    Args:
        sampler: Makes them sound with what is trained.
        history: Has the losses; it and the validation must come before this observer.
        make_sinks: Returns where it goes, given the steps that the training goes on from. It is
            asked at the end of the first step, so that a start which fails leaves nothing.
    """

    def __init__(
        self,
        sampler: Samples,
        history: History,
        make_sinks: Callable[[int], Sequence[Sink]],
    ) -> None:
        self._sampler = sampler
        self._history = history
        self._make_sinks = make_sinks
        self._sinks: Sequence[Sink] | None = None
        self._norms: dict[str, Tensor] = {}
        self._parts: dict[str, list[nn.Parameter]] = {}
        self._done = 0
        self._validations = 0
        self._heard = False

    def on_start(self, module: TrainingModule) -> None:
        """Log the validation of the step that the training goes on from, which may be new."""
        self._done = module.step
        self._parts = parameters_by_part(module)
        validations = self._history.validation
        self._validations = len(validations)
        if validations and validations[-1].step == module.step:
            self._log(module, validation_figures(validations[-1]), listen=True)

    def on_gradients(self, module: TrainingModule) -> None:
        """Take the norm of each part's gradients, before they are clipped."""
        gradients = {
            name: [each.grad for each in part if each.grad is not None]
            for name, part in self._parts.items()
        }
        self._norms = {name: get_total_norm(each) for name, each in gradients.items() if each}

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Log the step, and the validation if there was one."""
        history = self._history
        values = self._step_figures(module, figures)
        values["frames_per_second"] = history.frames_per_second
        is_validated = len(history.validation) > self._validations
        self._validations = len(history.validation)
        if is_validated:
            values |= validation_figures(history.validation[-1])
        self._log(module, values, listen=is_validated)

    def on_end(self, module: TrainingModule) -> None:
        """Write what is not written yet."""
        for each in self._sinks or ():
            each.close()

    def _log(self, module: TrainingModule, values: Mapping[str, float], *, listen: bool) -> None:
        if not module.trainer.is_global_zero:
            return
        if self._sinks is None:
            self._sinks = self._make_sinks(self._done)
        for each in self._sinks:
            each.figures(values, module.step)
        if listen:
            self._listen(module)

    def _step_figures(self, module: TrainingModule, figures: StepFigures) -> dict[str, float]:
        norms = dict(zip(self._norms, torch.stack([*self._norms.values()]).tolist(), strict=True))
        return {
            **{f"training/{name}": loss for name, loss in figures.losses.items()},
            **{_of_stage("rate", stage): rate for stage, rate in module.rates.items()},
            "gradient_norm": figures.gradient_norm,
            **{f"gradient_norm/{name}": each for name, each in norms.items()},
        }

    def _listen(self, module: TrainingModule) -> None:
        """Log how what is held out sounds and looks."""
        rate = self._sampler.sample_rate
        with undrawn(module.device), module.speaking():
            for sample in self._sampler.samples(with_recordings=not self._heard):
                for sink in self._sinks or ():
                    for what, sound in sample.sounds.items():
                        sink.sound(f"{what}/{sample.name}", sound, rate, module.step)
                    for what, picture in sample.pictures.items():
                        sink.picture(f"{what}/{sample.name}", picture, module.step)
        self._heard = True


def _of_stage(name: str, stage: str) -> str:
    return name if stage == EVERY_STAGE else f"{name}/{stage}"


def validation_figures(entry: LossEntry) -> dict[str, float]:
    """Return the losses of a validation by the names that they are logged under."""
    return {f"{HELD_OUT}{name}": loss for name, loss in entry.losses.items()}


def parameters_by_part(module: TrainingModule) -> dict[str, list[nn.Parameter]]:
    """Return what is trained, by the parts of the model, and of the objective together."""
    found: dict[str, list[nn.Parameter]] = {}
    for name, each in module.task.trained.named_parameters():
        if each.requires_grad:
            found.setdefault(name.partition(".")[0], []).append(each)
    if module.objective is not None and (own := [*module.objective.parameters()]):
        found["objective"] = own
    return found
