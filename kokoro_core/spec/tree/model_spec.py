"""`ModelSpec`: what a spec file says, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import Seq, StrictModel
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import (
    AdaptorParams,
    AlignerParams,
    ConditionerParams,
    DecoderParams,
    DurationPredictorParams,
    EncoderParams,
    FrontendParams,
    PostnetParams,
    RegulatorParams,
    VocoderParams,
)
from kokoro_core.spec.tree.sections import (
    FeatureSettings,
    GenerationDefaults,
    GradientCheckpointing,
    LossWeights,
)

__all__ = ["GradientCheckpointing", "LossWeights", "ModelSpec"]


def _integer(value: Any) -> Any:
    """Return the value; a `Literal` takes what equals it, and `true` and 1.0 equal 1."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise PydanticCustomError("wrong-type", "expected an integer, got {got}", {"got": repr(value)})


def _in_one_mapping(value: Any) -> Any:
    """Return a list of mappings as one; a resolved spec lists adaptors to keep their order."""
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        return value
    names = [name for each in value for name in each]
    if len(set(names)) < len(names):
        raise PydanticCustomError("duplicate-name", "two entries have one name")
    return {name: part for each in value for name, part in each.items()}


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    for index, name in enumerate(value):
        if name in value[:index]:
            raise PydanticCustomError(
                "duplicate-name", "{name} stands there twice", {"name": repr(name)}
            )
    return value


PartName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that a spec gives: of a feature, or of a part among several."""

Names = Annotated[Seq[Annotated[str, Field(min_length=1)]], AfterValidator(_distinct)]

_Map = Mapping[PartName, AdaptorParams]

Adaptors = Annotated[
    _Map, BeforeValidator(_in_one_mapping, json_schema_input_type=_Map | list[_Map])
]


class ModelSpec(StrictModel):
    """A text-to-speech acoustic model, as a spec file describes it.

    Attributes:
        format: Version of the format of the file.
        name: The author's name for the model.
        vocab_size: Number of phoneme indices, padding included.
        pad_id: The index that means padding; no frontend emits it for a phoneme.
        mel_dim: Mel channels.
        hidden_dim: The width that components take that set none.
        speakers: Their names; the feature ``speaker`` is one of them.
        languages: Their names; the feature ``language`` is one of them.
        features: What the numbers of further features mean, by name.
        conditioners: One vector an utterance each, by name.
        encoder: Phoneme indices to hidden.
        aligner: Hidden and mel to durations, in training; null where the corpus has durations.
        duration_predictor: Hidden to frames; null for a decoder that reads the phonemes itself.
        token_adaptors: Hidden to hidden by name, in the order in which they stand.
        regulator: Hidden to memory, one vector a frame; null with the duration predictor.
        frame_adaptors: Memory to memory by name, in the order in which they stand.
        decoder: Memory to mel.
        postnet: Coarse mel to refined mel, or null.
        gradient_checkpointing: Segments, or null for off.
        loss: Weights of the training loss.
        generation: How it speaks where the caller does not say otherwise.
        audio: What the mel's numbers mean, or null where only tensors are dealt with.
        frontend: Text to phoneme indices, for the command line.
        vocoder: Mel to waveform, for the command line.
        plugins: Distributions that the spec needs, each with a version specifier.
    """

    format: Annotated[Literal[1], BeforeValidator(_integer)] = 1
    name: str = Field(default="model", min_length=1)
    vocab_size: int = Field(default=63, ge=2)
    pad_id: int = Field(default=0, ge=0)
    mel_dim: int = Field(default=80, ge=1)
    hidden_dim: int = Field(default=512, ge=1)
    speakers: Names = ()
    languages: Names = ()
    features: Mapping[PartName, FeatureSettings] = Field(default_factory=dict)
    conditioners: Mapping[PartName, ConditionerParams] = Field(default_factory=dict)
    encoder: EncoderParams
    aligner: AlignerParams | None = None
    duration_predictor: DurationPredictorParams | None
    token_adaptors: Adaptors = Field(default_factory=dict)
    regulator: RegulatorParams | None
    frame_adaptors: Adaptors = Field(default_factory=dict)
    decoder: DecoderParams
    postnet: PostnetParams | None = None
    gradient_checkpointing: GradientCheckpointing | None = GradientCheckpointing()
    loss: LossWeights = LossWeights()
    generation: GenerationDefaults = GenerationDefaults()
    audio: AudioSettings | None = None
    frontend: FrontendParams | None = None
    vocoder: VocoderParams | None = None
    plugins: Mapping[str, str] = Field(default_factory=dict)

    @property
    def sizes(self) -> Sizes:
        """The sizes that the spec states at its top."""
        return Sizes(
            self.vocab_size,
            self.pad_id,
            self.mel_dim,
            self.hidden_dim,
            num_speakers=len(self.speakers),
            num_languages=len(self.languages),
            hop_length=0 if self.audio is None else self.audio.hop_length,
        )

    def _repr_html_(self) -> str:
        """Return the picture that a notebook shows; what draws it stands above all specs."""
        shown: str = import_module("kokoro_core.notebook.models").spec_html(self)
        return shown
