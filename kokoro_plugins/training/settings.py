"""How to train; imports no torch.

A field annotated with `typer.Option` that has a help text is an option of the commands that take
its class (`kokoro_core/cli/from_settings.py`); the least value of any such field is checked here as
well.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

from pydantic import BaseModel
from typer import Option

from kokoro_core.cli.from_settings import flag_of, option_of
from kokoro_core.slots import ObjectiveParams, OptimizerParams, ScheduleParams
from kokoro_plugins.training.recipe.loss_schedule import Ramp

if TYPE_CHECKING:  # it imports torch
    from kokoro_plugins.training.evaluation import Evaluation

Precision = Literal["auto", "32", "bf16"]
SavedOptimizer = Literal["adamw", "muon", "soap"]
LoggerName = Literal["tensorboard", "csv"]
OptimizerName = Literal[SavedOptimizer, "schedule-free"]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)

EVERY_STAGE = "*"
"""Stands for all stages of an objective, or for the only one."""

BatchFrames = Annotated[int, Option(min=1, help="The most frames of a batch, padding included.")]
Seed = Annotated[int, Option(min=0, max=2**32 - 1, help="Decides everything that is drawn.")]
Device = Annotated[str, Option(help="auto, cpu, cuda or mps.")]
Data = Annotated[Path | None, Option(help="Where the corpus is.")]
CorpusKind = Annotated[str, Option(help="What kind of corpus it is.")]
Workers = Annotated[
    int, Option(min=0, max=256, help="Processes that make batches ahead of the training.")
]


ONE_PROCESS = ("accumulate", "devices", "nodes")
"""Settings that commands do not offer whose steps are of one batch in one process."""


class WrongSetting(ValueError):
    """An option or a setting of a recipe is wrong; the message names the option.

    Attributes:
        path: Where it stands in a recipe.
        code: Of the problem.
        said: What is wrong with it, for a message that begins with that place.
    """

    def __init__(self, message: str, path: tuple[str | int, ...], code: str, said: str) -> None:
        super().__init__(message)
        self.path = path
        self.code = code
        self.said = said


def check_least_values(settings: Any) -> None:
    """Refuse a field that is below the least value of its option.

    Raises:
        ValueError: The message names the field.
    """
    for name, hint in get_type_hints(type(settings), include_extras=True).items():
        option, value = option_of(hint), getattr(settings, name)
        if option is not None and option.min is not None and value < option.min:
            raise ValueError(f"`{name}` must be {option.min} or more, not {value}.")


@dataclass(frozen=True)
class TrainingEnd:
    """When a training ends: one of the three.

    Attributes:
        minutes: By the clock.
        steps: Of training.
        frames: Trained on.
    """

    minutes: Annotated[float | None, Option(help="Train for this long.")] = None
    steps: Annotated[int | None, Option(min=1, help="Train for this many steps.")] = None
    frames: Annotated[
        int | None,
        Option(min=1, help="Train on this many mel frames: the same learning on any machine."),
    ] = None


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        lr: Peak of the learning rate.
        warmup_steps: Steps until the peak.
        optimizer: What moves the weights; ``soap`` and ``schedule-free`` are of the package
            pytorch-optimizer. Steps saved with ``schedule-free`` hold the weights that training
            goes on with, not their average.
        average: How much of a moving average of the weights stays in a step; 0: there is none.
        validate_every: Steps between two validations.
        precision: ``bf16`` computes in bfloat16 where that is safe, ``auto`` only if the processor
            has instructions for it.
        device: A name that Lightning knows: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        devices: How many of them a machine has train together, each in a process of its own.
        nodes: How many machines train together, each with as many devices.
        accumulate: Batches of a step, whose gradients are averaged.
        skip_bad_steps: How many steps in a row may come to NaN or infinity before training ends;
            they leave the weights as they are.
        loss_schedule: When losses of the model come in, by their full names.
        optimizers: What moves the weights of each stage of the objective; the key `EVERY_STAGE`
            stands for all stages. They come before `optimizer` and `lr`.
        schedules: The course of the rate of each stage, likewise; they come before `warmup_steps`.
        objective: What the model is trained for; None: its own loss, in one stage.
        freeze: Patterns of the names of parameters that stay as they are.
        rates: What the rate is multiplied by for parameters whose names a pattern means; the first
            such pattern counts.
    """

    lr: Annotated[float, Option(help="Peak of the learning rate.")] = 1e-3
    warmup_steps: Annotated[int, Option("--warmup", min=0, help="Steps until the peak.")] = 100
    optimizer: OptimizerName = "adamw"
    average: Annotated[
        float,
        Option(
            "--ema",
            min=0,
            help="How much of a moving average of the weights a step keeps; 0: none.",
        ),
    ] = 0.0
    validate_every: Annotated[int, Option(min=1)] = 50
    precision: Annotated[
        Precision, Option(help="32, bf16, or auto: bf16 where the processor has it.")
    ] = "auto"
    device: Device = "auto"
    devices: Annotated[int, Option(min=1, help="How many devices of a machine train together.")] = 1
    nodes: Annotated[int, Option(min=1, help="How many machines train together.")] = 1
    accumulate: Annotated[
        int, Option(min=1, help="Batches of a step, whose gradients are averaged.")
    ] = 1
    skip_bad_steps: Annotated[int, Option(min=0)] = 0
    loss_schedule: Mapping[str, Ramp] = field(default_factory=dict)
    optimizers: Mapping[str, OptimizerParams] = field(default_factory=dict)
    schedules: Mapping[str, ScheduleParams] = field(default_factory=dict)
    objective: ObjectiveParams | None = None
    freeze: tuple[str, ...] = ()
    rates: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.lr < math.inf:
            what = f"must be a number above 0, not {self.lr}; try 0.001."
            raise WrongSetting(f"`lr` {what}", ("lr",), "out-of-range", what)
        if not 0 <= self.average < 1:
            what = f"must be from 0 to below 1, not {self.average}; try 0.99."
            raise WrongSetting(f"`average` {what}", ("ema",), "out-of-range", what)
        if wrong := [each for each in self.rates.values() if not 0 < each < math.inf]:
            raise ValueError(f"`rates` must be numbers above 0, not {wrong[0]}; `freeze` is for 0.")
        check_least_values(self)
        for name in ("devices", "nodes"):
            if self.objective is not None and getattr(self, name) > 1:
                raise ValueError(
                    f"`{name}` must be 1 with an `objective`, not {getattr(self, name)}: the "
                    f"gradients of its stages are not added up over processes."
                )

    @property
    def processes(self) -> int:
        """How many processes train together, on all machines."""
        return self.nodes * self.devices


def settings_by_flag(settings: TrainingSettings, without: Collection[str]) -> dict[str, Any]:
    """Return settings as values that JSON has, by the names of their options."""
    hints = get_type_hints(TrainingSettings, include_extras=True)
    return {
        flag_of(name, hint)[2:].replace("-", "_"): plain(getattr(settings, name))
        for name, hint in hints.items()
        if name not in without and getattr(settings, name) not in ({}, None, ())
    }


def plain(value: Any) -> Any:
    """Return a setting as values that JSON has."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return list(value)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


@dataclass(frozen=True)
class Saving:
    """Where and how often a training is saved, and whether it goes on from there.

    Attributes:
        folder: Of the step directories.
        every: Steps between two saves; the last step is always saved.
        keep_last: How many of the newest stay.
        keep_best: How many of those with the lowest held-out loss stay besides.
        resume: Go on from the newest that is whole, if there is one.
        allow_inexact: Go on also if the result will not be that of an uninterrupted training to
            the bit.
        losses: The file that the losses are written to as they come, a line of JSON each; None:
            none is written.
    """

    folder: Path
    every: Annotated[int, Option("--save-every", min=1, help="Steps between two saves.")] = 500
    keep_last: Annotated[
        int, Option("--keep", min=1, help="How many of the newest saves stay.")
    ] = 2
    keep_best: Annotated[
        int, Option(min=0, help="How many with the lowest held-out loss stay besides.")
    ] = 1
    resume: Annotated[
        bool, Option("--resume", help="Go on from the newest save in the folder, if any.")
    ] = False
    allow_inexact: Annotated[
        bool, Option("--inexact", help="Go on also where that cannot be exact.")
    ] = False
    losses: Path | None = None

    def __post_init__(self) -> None:
        check_least_values(self)


@dataclass(frozen=True)
class Promise:
    """What the demo's speech reaches on the sentences held out, at true durations.

    Attributes:
        mel_error: Mean absolute error of the normalised mel, own frames fed, at most.
        ended_in_time: Share of the sentences that the stop token ends in time, at least.
        distortion: Mel cepstral distortion of the mel in dB, at most.
    """

    mel_error: float = 0.17
    ended_in_time: float = 0.9
    distortion: float = 1.3

    def __str__(self) -> str:
        return (
            f"a mel error of {self.mel_error}, {self.ended_in_time:.0%} ended by the stop token, "
            f"a distortion of {self.distortion} dB"
        )

    def missing(self, figures: Evaluation, distortion: float) -> list[str]:
        """Return in words what figures do not reach."""
        ended = figures.ended_in_time or 0
        found = {
            f"mel error {figures.free_running:.3f}, promised {self.mel_error}": (
                figures.free_running > self.mel_error
            ),
            f"{ended} of {figures.utterances} ended by the stop token, promised "
            f"{self.ended_in_time:.0%}": ended < self.ended_in_time * figures.utterances,
            f"distortion {distortion:.2f} dB, promised {self.distortion}": (
                distortion > self.distortion
            ),
        }
        return [words for words, is_missing in found.items() if is_missing]


@dataclass(frozen=True)
class DemoOptions:
    """What the demo does.

    Attributes:
        out: The folder that everything is written to.
        sentences: Sentences of the corpus.
        holdout: How many of them are not trained on.
        batch_frames: The most frames of a batch.
        seed: Of the corpus, the initial weights and the order of training.
        promise: What is to be reached; None: nothing is.
        settings: How to train.
    """

    out: Annotated[Path, Option(help="The folder to write.")] = Path("kokoro-demo")
    sentences: Annotated[int, Option(min=3, help="Sentences of the corpus.")] = 315
    holdout: Annotated[int, Option(min=2, help="How many are not trained on.")] = 15
    batch_frames: BatchFrames = 800
    seed: Seed = 0
    promise: Promise | None = None
    settings: TrainingSettings = field(default_factory=TrainingSettings)


@dataclass(frozen=True)
class CompareOptions:
    """What the command `compare` does.

    Attributes:
        data: Where the corpus is; None: it is made in `out`.
        corpus: The name of its kind; None: `espeak` if it is made, else `folder`.
        seeds: Trainings of each contender.
        looks: How often each is measured, the end included.
        out: The folder that everything is written to.
        sentences: Of a corpus that is made.
        holdout: How many utterances, the last ones, are not trained on; None: those that the corpus
            sets aside, or `HELD_OUT`.
        batch_frames: The most frames of a batch of contenders that do not say it.
        device: A name that Lightning knows: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    data: Annotated[
        Path | None, Option(help="Where the corpus is; without it the demo's is made.")
    ] = None
    corpus: Annotated[str | None, Option(help="What kind of corpus it is; without it folder.")] = (
        None
    )
    seeds: Annotated[int, Option(min=1, max=1000, help="Trainings of each, with other seeds.")] = 2
    looks: Annotated[
        int, Option(min=1, max=1000, help="How often each is measured, the end included.")
    ] = 4
    out: Annotated[Path, Option(help="The folder to write.")] = Path("comparison")
    sentences: Annotated[int, Option(min=3, help="Sentences of the demo's corpus.")] = 315
    holdout: Annotated[
        int | None,
        Option(min=1, help="How many are not trained on; without it what the corpus says, or 15."),
    ] = None
    batch_frames: BatchFrames = 800
    device: Device = "auto"

    def __post_init__(self) -> None:
        if self.data is None and self.corpus not in (None, "espeak"):
            raise ValueError(
                f"`--corpus {self.corpus}` is read from where `--data` says, which is not given; "
                f"without both the demo's corpus is made."
            )

    @property
    def corpus_kind(self) -> str:
        """The name of the kind of corpus to open."""
        if self.corpus is not None:
            return self.corpus
        return "espeak" if self.data is None else "folder"


HELD_OUT = 15
"""Utterances that `compare` holds out where nobody says how many."""


@dataclass(frozen=True)
class TrainOptions:
    """What the command `train` does.

    Attributes:
        data: Where the corpus is; None: a kind of corpus that is nowhere.
        out: The folder that everything is written to.
        saving: Where in it and how often the training is saved.
        corpus: The name of the corpus's kind.
        holdout: How many utterances, the last ones, are not trained on; None: those that the corpus
            sets aside, or 10.
        batch_frames: The most frames of a batch.
        seed: Of the initial weights and the order of training.
        workers: Processes that make batches ahead.
        settings: How to train.
        corpus_settings: Settings of that kind of corpus.
        recipe: What is written into the folder as the recipe of this training; None: nothing.
        checkpoint: What the training begins with; None: weights that are drawn.
        fresh: Beginnings of names of parameters that are drawn although the checkpoint has them.
        loggers: Where it is logged to, in the folder ``logs``.
    """

    data: Data
    out: Path
    saving: Saving
    corpus: CorpusKind = "folder"
    holdout: Annotated[
        int | None,
        Option(
            min=0,
            help="How many utterances, the last ones, are not trained on; without it those that "
            "the corpus sets aside, or 10.",
        ),
    ] = None
    batch_frames: BatchFrames = 2000
    seed: Seed = 0
    workers: Workers = 0
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    corpus_settings: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] | None = None
    checkpoint: Path | None = None
    fresh: tuple[str, ...] = ()
    loggers: tuple[LoggerName, ...] = ()
