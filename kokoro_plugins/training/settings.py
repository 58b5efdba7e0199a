"""How to train; imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:  # it imports torch
    from kokoro_plugins.training.evaluation import Evaluation

Precision = Literal["auto", "32", "bf16"]
SavedOptimizer = Literal["adamw", "muon", "soap"]
OptimizerName = Literal[SavedOptimizer, "schedule-free"]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)


WHOLE_NUMBERS = (
    ("warmup_steps", 0),
    ("validate_every", 1),
    ("devices", 1),
    ("accumulate", 1),
    ("skip_bad_steps", 0),
)
"""Settings that count something, each with the least that it may be."""


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
        validate_every: Steps between two looks at what is held out.
        precision: ``bf16`` computes in bfloat16 where that is safe, ``auto`` only if the processor
            has instructions for it.
        device: A name that Lightning knows: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        devices: How many of them train together, each in a process of its own.
        accumulate: Batches of a step, whose gradients are averaged.
        skip_bad_steps: How many steps in a row may come to NaN or infinity before training ends;
            they leave the weights as they are.
    """

    lr: float = 1e-3
    warmup_steps: int = 100
    optimizer: OptimizerName = "adamw"
    average: float = 0.0
    validate_every: int = 50
    precision: Precision = "auto"
    device: str = "auto"
    devices: int = 1
    accumulate: int = 1
    skip_bad_steps: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.lr < math.inf:
            raise ValueError(f"`lr` must be a number above 0, not {self.lr}; try 0.001.")
        if not 0 <= self.average < 1:
            raise ValueError(f"`average` must be from 0 to below 1, not {self.average}; try 0.99.")
        for name, least in WHOLE_NUMBERS:
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be {least} or more, not {getattr(self, name)}.")


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
    every: int = 500
    keep_last: int = 2
    keep_best: int = 1
    resume: bool = False
    allow_inexact: bool = False
    losses: Path | None = None

    def __post_init__(self) -> None:
        for name, least in (("every", 1), ("keep_last", 1), ("keep_best", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be {least} or more, not {getattr(self, name)}.")


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
        seed: Of the corpus, the weights' start and the order of training.
        promise: What is to be reached; None: nothing is.
        settings: How to train.
    """

    out: Path
    sentences: int = 315
    holdout: int = 15
    batch_frames: int = 800
    seed: int = 0
    promise: Promise | None = None
    settings: TrainingSettings = field(default_factory=TrainingSettings)


@dataclass(frozen=True)
class CompareOptions:
    """What the command `compare` does.

    Attributes:
        out: The folder that everything is written to.
        data: Where the corpus is; None: it is made in `out`.
        corpus: The name of its kind.
        sentences: Of a corpus that is made.
        holdout: How many utterances, the last ones, are not trained on.
        seeds: Trainings of each contender.
        looks: How often each is measured, the end included.
        device: A name that Lightning knows: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    out: Path
    data: Path | None
    corpus: str
    sentences: int = 315
    holdout: int = 15
    seeds: int = 2
    looks: int = 4
    device: str = "auto"


@dataclass(frozen=True)
class TrainOptions:
    """What the command `train` does.

    Attributes:
        data: Where the corpus is.
        corpus: The name of its kind.
        corpus_settings: Settings of that kind.
        out: The folder that everything is written to.
        holdout: How many utterances, the last ones, are not trained on.
        batch_frames: The most frames of a batch.
        seed: Of the weights' start and the order of training.
        workers: Processes that make batches ahead.
        settings: How to train.
        save_every: Steps between two saves, into ``steps`` inside `out`.
        keep_last: How many of the newest stay.
        keep_best: How many of those with the lowest held-out loss stay besides.
        resume: Go on from the newest, if there is one.
        allow_inexact: Go on also if that cannot be exact.
    """

    data: Path
    corpus: str
    out: Path
    holdout: int = 10
    batch_frames: int = 2000
    seed: int = 0
    workers: int = 0
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    save_every: int = 500
    keep_last: int = 2
    keep_best: int = 1
    resume: bool = False
    allow_inexact: bool = False
    corpus_settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def saving(self) -> Saving:
        """Where and how often the training is saved."""
        return Saving(
            folder=self.out / "steps",
            every=self.save_every,
            keep_last=self.keep_last,
            keep_best=self.keep_best,
            resume=self.resume,
            allow_inexact=self.allow_inexact,
            losses=self.out / "losses.jsonl",
        )
