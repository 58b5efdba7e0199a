"""The sections of a spec around the parts of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from kokoro_core.params.component import StrictModel


class GradientCheckpointing(StrictModel):
    """Trades compute for memory in training: each stack of layers is recomputed in segments.

    Attributes:
        segments: Segments of each stack, at most one a layer.
    """

    segments: int = Field(default=4, ge=1)


def _dotted(value: Any) -> Any:
    """Return a mapping with ``{decoder: {flow: 1}}`` written as ``{decoder.flow: 1}``."""
    if not isinstance(value, Mapping):
        return value
    flat: dict[Any, Any] = {}
    for key, each in value.items():
        if isinstance(key, str) and isinstance(each, Mapping) and each:
            flat |= {f"{key}.{name}": inner for name, inner in each.items()}
        else:
            flat[key] = each
    return flat


def _with_losses_of_parts(schema: dict[str, Any]) -> None:
    """Allow keys such as ``decoder.flow`` beside the framework's losses."""
    schema["additionalProperties"] = False
    schema["patternProperties"] = {r"^[^.]+\.[^.]+$": {"type": "number", "minimum": 0}}


class LossWeights(StrictModel):
    """The weight of each term of the training loss; a part's own are named ``PLACE.NAME``.

    Attributes:
        mel_l1: Mean absolute error of the mel (and of the coarse mel under a postnet).
        mel_mse: Mean squared error of the mel.
        duration: Mean squared error of the natural log of (frames + 1).
        stop: Binary cross-entropy of the stop token.
        stop_positive_weight: Weight of the one last frame against the others in it.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_with_losses_of_parts)
    __pydantic_extra__: dict[str, Annotated[float, Field(ge=0)]] = Field(init=False)

    mel_l1: float = Field(default=1.0, ge=0)
    mel_mse: float = Field(default=0.0, ge=0)
    duration: float = Field(default=1.0, ge=0)
    stop: float = Field(default=1.0, ge=0)
    stop_positive_weight: float = Field(default=10.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        return _dotted(value)

    @property
    def of_parts(self) -> Mapping[str, float]:
        """The weights of losses of the parts' own."""
        return self.model_extra or {}


class GenerationDefaults(StrictModel):
    """How the model speaks where the caller does not say otherwise.

    Attributes:
        speed: Above 1 is faster.
        min_frames: The least that a predicted phoneme lasts.
        max_mel_len: No row gets more frames.
        stop_threshold: A frame whose stop probability is above it is the last.
        length_ratio: No row gets more than this multiple of its planned length; null: 1, or 20
            frames a phoneme where no length is planned.
        options: Numbers with which the parts speak, such as ``decoder.temperature``.
    """

    speed: float = Field(default=1.0, gt=0)
    min_frames: int = Field(default=1, ge=0)
    max_mel_len: int = Field(default=1000, ge=1)
    stop_threshold: float = Field(default=0.5, ge=0, le=1)
    length_ratio: float | None = Field(default=None, gt=0)
    options: Annotated[Mapping[str, float], BeforeValidator(_dotted)] = Field(default_factory=dict)


class OfSpeaker(StrictModel):
    """What the numbers of a feature mean of one speaker.

    Attributes:
        mean: Subtracted before a part sees the feature.
        std: Divided by then.
    """

    mean: float = 0.0
    std: float = Field(default=1.0, gt=0)


class FeatureSettings(StrictModel):
    """What the numbers of a feature mean, as the data has them.

    Attributes:
        per: What the corpus has one value for; one a frame is averaged over the frames of each
            phoneme for a part that works on phonemes.
        mean: Subtracted before a part sees the feature.
        std: Divided by then.
        unit: In words, such as ``log Hz``.
        speakers: Mean and std of single speakers, which count for them instead, so that a high and
            a low voice look alike to the parts.
    """

    per: Literal["row", "phoneme", "frame"] = "row"
    mean: float = 0.0
    std: float = Field(default=1.0, gt=0)
    unit: str | None = None
    speakers: Mapping[str, OfSpeaker] = Field(default_factory=dict)
