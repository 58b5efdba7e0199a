"""Which optimizer and which schedule a stage of a training has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import nn
from torch.optim import Optimizer

from kokoro_core.contracts import Schedule
from kokoro_core.slots import OptimizerParams, ScheduleParams
from kokoro_plugins.training.loop.parts import by_rate
from kokoro_plugins.training.loop.together import Together
from kokoro_plugins.training.settings import EVERY_STAGE, TrainingSettings
from kokoro_plugins.training.updates.params import (
    AdamWParams,
    ConstantParams,
    MuonParams,
    ScheduleFreeParams,
    SoapParams,
    WarmupCosineParams,
)
from registry.text import suggestion

MODEL_PREFIX = "model."
"""What the names of the model's tensors begin with inside of the training module."""

_BY_NAME: dict[str, type[OptimizerParams]] = {
    "adamw": AdamWParams,
    "muon": MuonParams,
    "soap": SoapParams,
}


def make_optimizer(
    module: nn.Module,
    settings: TrainingSettings,
    stage: str = EVERY_STAGE,
    parameters: Sequence[nn.Parameter] | None = None,
    trained: nn.Module | None = None,
) -> Optimizer:
    """Return the optimizer of a stage.

    Args:
        module: Has the parameters.
        settings: How to train.
        stage: Of an objective; else the one that there is.
        parameters: What is moved; None: all that is trained.
        trained: The part of the module that is, by whose names its parameters have their rates;
            None: all of it.

    Raises:
        ValueError: The package that has it is not installed.
    """
    trained = module if trained is None else trained
    moved = list(trained.parameters()) if parameters is None else parameters
    params = optimizer_params(settings, stage)
    if not settings.rates:
        return params.build(moved, module)
    names = {id(each): name for name, each in trained.named_parameters()}
    parts = by_rate(names, moved, settings.rates)
    return Together(  # by numbers, since patterns could be taken for paths where they are saved
        {
            str(number): params.model_copy(
                update={"lr": params.lr * settings.rates.get(pattern, 1.0)}
            ).build(part, module)
            for number, (pattern, part) in enumerate(parts.items())
        }
    )


def optimizer_params(settings: TrainingSettings, stage: str = EVERY_STAGE) -> OptimizerParams:
    """Return the settings of a stage's optimizer: its own, those for all, or the one by name."""
    chosen = settings.optimizers
    if params := chosen.get(stage) or chosen.get(EVERY_STAGE):
        return params
    if settings.optimizer == "schedule-free":
        return ScheduleFreeParams(lr=settings.lr, warmup_steps=settings.warmup_steps)
    return _BY_NAME[settings.optimizer](type=settings.optimizer, lr=settings.lr)


def schedule_params(settings: TrainingSettings, stage: str = EVERY_STAGE) -> ScheduleParams:
    """Return the settings of a stage's schedule: its own, those for all, or the usual one."""
    if not optimizer_params(settings, stage).scheduled:
        return ConstantParams()
    chosen = settings.schedules
    params = chosen.get(stage) or chosen.get(EVERY_STAGE)
    return params or WarmupCosineParams(warmup_steps=settings.warmup_steps)


def make_schedules(settings: TrainingSettings, stages: Collection[str]) -> dict[str, Schedule]:
    """Return the schedule of each stage."""
    return {stage: schedule_params(settings, stage).build() for stage in stages}


def depends_on_the_end(
    settings: TrainingSettings, stages: Collection[str] = (EVERY_STAGE,)
) -> bool:
    """Return whether the rate of a stage depends on when the training ends."""
    return any(schedule_params(settings, stage).to_the_end for stage in stages)


def refuse_unknown_stages(settings: TrainingSettings, stages: Collection[str]) -> None:
    """Refuse an optimizer or a schedule of a stage that a training does not have.

    Raises:
        ValueError: There is one; the message names the stages that there are, or the one meant.
    """
    for what in ("optimizers", "schedules"):
        for name in getattr(settings, what):
            if name in (*stages, EVERY_STAGE):
                continue
            if [*stages] == [EVERY_STAGE]:
                raise ValueError(
                    f"`{what}` names the stage `{name}`, but the training has one stage without a "
                    f"name; write `{EVERY_STAGE}`, or give an `objective` that has the stage."
                )
            hint = suggestion(name, [*stages]) or f"; it has {', '.join(stages)}."
            raise ValueError(f"`{what}` names `{name}`, but the objective has no such stage{hint}")
