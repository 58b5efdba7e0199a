"""How to train; imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Precision = Literal["auto", "32", "bf16"]


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        lr: Peak of the learning rate.
        warmup_steps: Steps until the peak.
        validate_every: Steps between two looks at what is held out.
        precision: ``bf16`` computes in bfloat16 where that is safe, ``auto`` only if the processor
            has instructions for it.
        device: A name that Lightning knows: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    lr: float = 1e-3
    warmup_steps: int = 100
    validate_every: int = 50
    precision: Precision = "auto"
    device: str = "auto"

    def __post_init__(self) -> None:
        if not 0 < self.lr < math.inf:
            raise ValueError(f"`lr` must be a number above 0, not {self.lr}; try 0.001.")


@dataclass(frozen=True)
class DemoOptions:
    """What the demo does.

    Attributes:
        out: The folder that everything is written to.
        sentences: Sentences of the corpus.
        holdout: How many of them are not trained on.
        batch_frames: The most frames of a batch.
        seed: Of the corpus, the weights' start and the order of training.
        settings: How to train.
    """

    out: Path
    sentences: int = 315
    holdout: int = 15
    batch_frames: int = 800
    seed: int = 0
    settings: TrainingSettings = field(default_factory=TrainingSettings)


@dataclass(frozen=True)
class TrainOptions:
    """What the command `train` does.

    Attributes:
        data: Where the corpus is.
        corpus: The name of its kind.
        out: The folder that everything is written to.
        holdout: How many utterances, the last ones, are not trained on.
        batch_frames: The most frames of a batch.
        seed: Of the weights' start and the order of training.
        settings: How to train.
    """

    data: Path
    corpus: str
    out: Path
    holdout: int = 10
    batch_frames: int = 2000
    seed: int = 0
    settings: TrainingSettings = field(default_factory=TrainingSettings)
