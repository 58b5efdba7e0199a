"""`Stages`: the losses and the gradients of an objective, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from kokoro_core import ModelSpec
from kokoro_core.contracts import Objective
from kokoro_core.params.sizes import Sizes
from kokoro_core.spec.rules.waves import gives_wave
from kokoro_plugins.training.data.training_data import Batch
from kokoro_plugins.training.loop.optimizers import refuse_unknown_stages
from kokoro_plugins.training.settings import EVERY_STAGE, TrainingSettings

Share = Callable[[Mapping[str, Tensor], Batch], Mapping[str, Tensor]]
"""Makes losses of a batch count by what it holds."""


def build_objective(settings: TrainingSettings, sizes: Sizes) -> Objective | None:
    """Return the objective of a training; what its weights draw is drawn again by the training."""
    if settings.objective is None:
        return None
    with torch.random.fork_rng(devices=[]):
        return settings.objective.build(sizes)


def refuse_objective(settings: TrainingSettings, spec: ModelSpec) -> None:
    """Refuse what the training of a spec's model cannot follow, before its data is read.

    Raises:
        ValueError: The objective needs what such a model does not give, or it has not the stages
            that have an optimizer or a schedule.
    """
    if settings.objective is not None:
        given = "wave" if gives_wave(spec.decoder) else "mel"
        for name in sorted(settings.objective.needs - {given}):
            raise ValueError(
                f"The objective `{settings.objective.type}` needs `{name}`, which the decoder of "
                f"`{spec.name}` does not give; it gives `{given}`."
            )
    refuse_unknown_stages(settings, stages_of(settings, spec.sizes))


def stages_of(settings: TrainingSettings, sizes: Sizes) -> tuple[str, ...]:
    """Return the names of a training's stages."""
    built = build_objective(settings, sizes)
    return (EVERY_STAGE,) if built is None else built.stages()


@final
class Stages:
    """Keeps the stages of an objective apart: each has its own loss, parameters and gradients.

    Args:
        objective: Names the stages and has their losses.
        model: What is trained.

    Attributes:
        parameters: Those that each stage moves.
        of_model: The first stage that moves parameters of the model, or the last one.

    Raises:
        ValueError: A parameter is in two stages, or a stage has none.
    """

    def __init__(self, objective: Objective, model: nn.Module) -> None:
        self.parameters = {
            stage: [each for each in objective.parameters_of(stage, model) if each.requires_grad]
            for stage in objective.stages()
        }
        _refuse_overlap(self.parameters)
        of_model = {id(each) for each in model.parameters()}
        self.of_model = next(
            (n for n, moved in self.parameters.items() if of_model & {*map(id, moved)}),
            [*self.parameters][-1],
        )
        self._objective = objective
        self._sums: dict[str, Tensor] = {}

    def losses(self, output: Any, batch: Batch, done: int, share: Share) -> dict[str, Tensor]:
        """Return the terms of all stages as ``STAGE.NAME``, the model's own loss left out.

        Args:
            output: Its loss is what the model's own losses come to in this step.
            batch: It was made of.
            done: Steps before this one.
            share: Makes the terms count by what the batch holds.
        """
        self._objective.done = done
        found: dict[str, Tensor] = {}
        for stage in self.parameters:
            terms = self._objective.loss(stage, output, batch)
            own = {name: each for name, each in terms.items() if each is not output.loss}
            shared = {f"{stage}.{name}": each for name, each in share(own, batch).items()}
            rest = [output.loss] * (len(terms) - len(own))
            if terms:
                self._sums[stage] = torch.stack([*rest, *shared.values()]).sum()
            found |= shared
        return found

    def backward(self, batches: int) -> None:
        """Add each stage's gradients to those of its parameters and no others.

        Args:
            batches: Over as many the gradients are averaged.
        """
        sums, self._sums = self._sums, {}
        for stage, loss in sums.items():
            gradients = torch.autograd.grad(
                loss / batches,
                self.parameters[stage],
                retain_graph=stage != list(sums)[-1],
                allow_unused=True,
            )
            _add(self.parameters[stage], gradients)


def _add(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            held = parameter.grad
            parameter.grad = gradient if held is None else held + gradient


def _refuse_overlap(parameters: Mapping[str, Sequence[nn.Parameter]]) -> None:
    owners: dict[int, str] = {}
    for stage, moved in parameters.items():
        if not moved:
            raise ValueError(f"The stage `{stage}` of the objective has no parameters to move.")
        for each in moved:
            other = owners.setdefault(id(each), stage)
            if other != stage:
                raise ValueError(
                    f"The stages `{other}` and `{stage}` of the objective both move a parameter "
                    f"of shape {tuple(each.shape)}; each parameter belongs to one stage."
                )
