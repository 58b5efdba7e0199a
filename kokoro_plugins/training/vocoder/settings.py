"""What the command `train-vocoder` does; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from typer import Option

from kokoro_core.checkpoints.locate import VOCODER_STEM
from kokoro_core.params.component import StrictModel
from kokoro_plugins.training.settings import (
    EVERY_STAGE,
    CorpusKind,
    Data,
    LoggerName,
    Saving,
    Seed,
    TrainingSettings,
    Workers,
)
from kokoro_plugins.training.updates.params import AdamWParams

VOCODER_FILE = f"{VOCODER_STEM}.safetensors"
"""The vocoder with its settings and those of the mels that it reads."""

LR, AVERAGE, VALIDATE_EVERY = 1.5e-3, 0.998, 500

BETAS = (0.85, 0.99)
"""Of AdamW; waves are learned with a shorter memory than mels."""


class WaveLossWeights(StrictModel):
    """What each loss counts.

    Attributes:
        mel: Of the distance of log mels.
        convergence: Of the spectral convergence.
        magnitude: Of the distance of log magnitudes.
    """

    mel: float = Field(default=2.0, ge=0)
    convergence: float = Field(default=1.0, ge=0)
    magnitude: float = Field(default=1.0, ge=0)


def usual_settings(**others: Any) -> TrainingSettings:
    """Return how a vocoder is trained where nothing else is said."""
    usual = {"lr": LR, "average": AVERAGE, "validate_every": VALIDATE_EVERY}
    settings = TrainingSettings(**{**usual, **others})
    if settings.optimizer != "adamw":
        return settings
    adamw = AdamWParams(lr=settings.lr, betas=BETAS)
    return replace(settings, optimizers={EVERY_STAGE: adamw, **settings.optimizers})


@dataclass(frozen=True)
class VocoderOptions:
    """What the command `train-vocoder` does.

    Attributes:
        data: Where the corpus is; None: a kind of corpus that is nowhere.
        out: The folder that everything is written to.
        saving: Where in it and how often the training is saved.
        corpus: The name of the corpus's kind.
        holdout: How many utterances, the last ones, are not trained on; None: those that the corpus
            sets aside, or 10.
        rows: Crops of a batch.
        crop_frames: Frames of a crop.
        seed: Of the initial weights and the order of training.
        workers: Processes that make batches ahead.
        settings: How to train.
        corpus_settings: Settings of that kind of corpus.
        weights: What each loss counts.
        mels_of: The checkpoint of an acoustic model whose mels are read; None: the recordings'.
        checkpoint: A vocoder's file whose weights it begins with; None: they are drawn.
        recipe: What is written into the folder as the recipe of this training; None: nothing.
        loggers: Where it is logged to, in the folder ``logs``.
    """

    data: Data
    out: Path
    saving: Saving
    corpus: CorpusKind = "folder"
    holdout: Annotated[
        int | None,
        Option(
            min=1,
            help="How many utterances, the last ones, are not trained on; without it those that "
            "the corpus sets aside, or 10.",
        ),
    ] = None
    rows: Annotated[int, Option(min=1, help="Crops of a batch.")] = 16
    crop_frames: Annotated[int, Option(min=1, help="Mel frames of a crop.")] = 48
    seed: Seed = 0
    workers: Workers = 0
    settings: TrainingSettings = field(default_factory=usual_settings)
    corpus_settings: Mapping[str, Any] = field(default_factory=dict)
    weights: WaveLossWeights = field(default_factory=WaveLossWeights)
    mels_of: Path | None = None
    checkpoint: Path | None = None
    recipe: Mapping[str, Any] | None = None
    loggers: tuple[LoggerName, ...] = ()

    def __post_init__(self) -> None:
        for name in ("rows", "crop_frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be 1 or more, not {getattr(self, name)}.")
