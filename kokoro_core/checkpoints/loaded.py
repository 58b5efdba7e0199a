"""What a checkpoint gives when it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from kokoro_core.checkpoints.adapt import Adaptation
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.spec.tree.model_spec import ModelSpec


@dataclass(frozen=True)
class Loaded:
    """What a checkpoint holds.

    Attributes:
        spec: Its spec, or that of the model to which it was adapted.
        acoustic: The acoustic model.
        vocoder: The vocoder with its weights, or None.
        adaptation: What became of each tensor, if it was adapted.
    """

    spec: ModelSpec
    acoustic: AcousticModel
    vocoder: NeuralVocoder | None
    adaptation: Adaptation | None = None
