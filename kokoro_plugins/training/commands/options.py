"""Options that several of the commands `train`, `train-vocoder`, `demo` and `compare` have."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, get_args

import typer

from kokoro_core.cli.toolkit import check_device
from kokoro_plugins.training.loop.schedule import Budget, FrameBudget, StepBudget, TimeBudget
from kokoro_plugins.training.settings import SavedOptimizer, TrainingEnd, WrongSetting

*_FIRST, _LAST = get_args(SavedOptimizer)
_LISTED = f"{', '.join(_FIRST)} or {_LAST}"

OptimizerOption = Annotated[
    SavedOptimizer, typer.Option(help=f"What moves the weights: {_LISTED}.")
]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, max=1024, help="CPU threads; without it what torch chooses.")
]

A_COMPONENT = "a name, or settings such as '{type: NAME, …}'"

SpecArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[SPEC]",
        help="A spec file or a named spec; without one that of the recipe or of --from.",
    ),
]
RecipeOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A recipe: what is said here, in a file; flags win."),
]
DataOption = Annotated[Path | None, typer.Option(help="Where the corpus is.")]
OptimizerText = Annotated[
    str | None, typer.Option(help=f"What moves the weights: {A_COMPONENT}; without it adamw.")
]
ScheduleText = Annotated[
    str | None, typer.Option(help=f"The course of the learning rate: {A_COMPONENT}.")
]
ObjectiveText = Annotated[
    str | None, typer.Option(help=f"What is trained for beside its own loss: {A_COMPONENT}.")
]
BadStepOption = Annotated[
    str | None,
    typer.Option(
        metavar="stop|skip:N",
        help="What to do when the loss or a gradient is NaN or infinite: stop, as without it, "
        "or pass over up to N such steps in a row.",
    ),
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="CHECKPOINT",
        help="Begin with its weights, and with its spec if none is named.",
    ),
]
FreezeOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PART", help="Leave the parameters of a part as they are."),
]
RateOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PART=FACTOR", help="Multiply the learning rate of a part."),
]
LoggerOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAMES", help="Log to tensorboard, csv, or both with a comma between."),
]


def loggers_of(given: list[str] | None) -> list[str]:
    """Return the names of loggers that an option gives, each once."""
    return [*dict.fromkeys(",".join(given).split(","))] if given else []


def read_bad_step(policy: str) -> int:
    """Return how many bad steps in a row a policy passes over.

    Raises:
        WrongSetting: The policy is neither `stop` nor `skip:N`.
    """
    word, _, number = policy.partition(":")
    if policy == "stop":
        return 0
    if word != "skip" or not number.isdecimal() or int(number) < 1:
        what = f"must be `stop` or `skip:N` with N from 1 on, not `{policy}`."
        raise WrongSetting(f"`--on-bad-step` {what}", ("on_bad_step",), "wrong-value", what)
    return int(number)


def make_budget(end: TrainingEnd, clock: Callable[[], float] = time.monotonic) -> Budget:
    """Return the budget of a training that ends so.

    Args:
        end: Given by options.
        clock: Returns seconds.

    Raises:
        WrongSetting: There are several.
        ValueError: There is none, or it is out of range.
    """
    given = [name for name, value in vars(end).items() if value is not None]
    wanted = "Training needs one end, `--minutes M`, `--steps N` or `--frames N`"
    if not given:
        raise ValueError(f"{wanted}; none of them was given.")
    if len(given) > 1:
        what = " and ".join(f"`--{name}`" for name in given)
        said = f"`{given[0]}` is given too, and a training has one end; leave one of the two out"
        raise WrongSetting(f"{wanted}; {what} were given.", (given[1],), "inconsistent", said)
    if end.minutes is not None:
        return TimeBudget(end.minutes, clock)
    return StepBudget(end.steps) if end.steps is not None else FrameBudget(end.frames or 0)


def prepare_device(device: str, threads: int | None) -> None:
    """Check the device and set the number of CPU threads.

    Raises:
        ValueError: This machine has no such device, or one of several is named.
    """
    if ":" in device:
        raise ValueError(
            f"`--device {device}` must be auto, cpu, cuda or mps; with `CUDA_VISIBLE_DEVICES` set "
            f"before the command `cuda` is the one of several that it names."
        )
    if device != "auto":
        check_device(device)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
