"""Options that the commands `train` and `demo` share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from kokoro_core.cli.toolkit import check_device
from kokoro_core.spec.text.parse import parse
from kokoro_plugins.training.loop.schedule import Budget, FrameBudget, StepBudget, TimeBudget
from kokoro_plugins.training.settings import Precision, SavedOptimizer

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a setting; can be repeated."),
]
CorpusSetOption = Annotated[
    list[str] | None,
    typer.Option("--corpus-set", metavar="NAME=VALUE", help="Override a setting of the corpus."),
]
StepsOption = Annotated[int | None, typer.Option(min=1, help="Train for this many steps.")]
FramesOption = Annotated[
    int | None,
    typer.Option(min=1, help="Train on this many mel frames: the same learning on any machine."),
]
BatchFramesOption = Annotated[
    int, typer.Option(min=1, help="The most frames of a batch, padding included.")
]
LrOption = Annotated[float, typer.Option(help="Peak of the learning rate.")]
OptimizerOption = Annotated[
    SavedOptimizer, typer.Option(help="What moves the weights: adamw, muon or soap.")
]
WarmupOption = Annotated[int, typer.Option(min=0, help="Steps until the peak.")]
SeedOption = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Decides everything that is drawn.")
]
PrecisionOption = Annotated[
    Precision, typer.Option(help="32, bf16, or auto: bf16 where the processor has it.")
]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, max=1024, help="CPU threads; without it what torch chooses.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
AccumulateOption = Annotated[
    int, typer.Option(min=1, help="Batches of a step, whose gradients are averaged.")
]
BadStepOption = Annotated[
    str,
    typer.Option(
        metavar="stop|skip:N",
        help="What to do when the loss or a gradient is NaN or infinite: stop, or pass over up to "
        "N such steps in a row.",
    ),
]


def read_bad_step(policy: str) -> int:
    """Return how many bad steps in a row a policy passes over.

    Raises:
        ValueError: It is no policy.
    """
    word, _, number = policy.partition(":")
    if policy == "stop":
        return 0
    if word != "skip" or not number.isdecimal() or int(number) < 1:
        raise ValueError(
            f"`--on-bad-step` must be `stop` or `skip:N` with N from 1 on, not `{policy}`."
        )
    return int(number)


def read_corpus_settings(settings: list[str]) -> dict[str, Any]:
    """Return the settings of a corpus that options of the form ``NAME=VALUE`` give.

    Raises:
        ValueError: One has no ``=``, names a setting inside another, or is given by `--data` or
            `--corpus`.
    """
    given: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        document = parse(text, f"--corpus-set {setting}")
        if not equals or not name.isidentifier() or document.problems:
            raise ValueError(
                f"`--corpus-set {setting}` must be NAME=VALUE, for example `cache_mib=2048`."
            )
        if name in ("path", "type"):
            option = {"path": "--data", "type": "--corpus"}[name]
            raise ValueError(f"`--corpus-set {setting}` is what `{option}` says; use that.")
        given[name] = document.value
    return given


def make_budget(
    minutes: float | None,
    steps: int | None,
    frames: int | None,
    clock: Callable[[], float] = time.monotonic,
) -> Budget:
    """Return the budget that the options ask for.

    Args:
        minutes: By the clock.
        steps: Of training.
        frames: Trained on.
        clock: Returns seconds.

    Raises:
        ValueError: There is none, or there are several, or it is out of range.
    """
    given = [
        f"`--{name}`"
        for name, value in (("minutes", minutes), ("steps", steps), ("frames", frames))
        if value is not None
    ]
    if len(given) != 1:
        raise ValueError(
            f"Training needs one end, `--minutes M`, `--steps N` or `--frames N`; "
            f"{' and '.join(given)} were given."
            if given
            else "Training needs one end, `--minutes M`, `--steps N` or `--frames N`; none of them "
            "was given."
        )
    if minutes is not None:
        return TimeBudget(minutes, clock)
    return StepBudget(steps) if steps is not None else FrameBudget(frames or 0)


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
