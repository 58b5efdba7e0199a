"""`ModelSpec`: what a spec file says, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from kokoro_core.params.audio import AudioSettings
from kokoro_core.params.component import StrictModel
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import (
    DecoderParams,
    DurationPredictorParams,
    EncoderParams,
    FrontendParams,
    PostnetParams,
    RegulatorParams,
    VocoderParams,
)


def _integer(value: Any) -> Any:
    """Return the value; a `Literal` takes what equals it, and `true` and 1.0 equal 1."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise PydanticCustomError("wrong-type", "expected an integer, got {got}", {"got": repr(value)})


class GradientCheckpointing(StrictModel):
    """Trades compute for memory in training: each stack of layers is recomputed in segments.

    Attributes:
        segments: Segments of each stack, at most one a layer.
    """

    segments: int = Field(4, ge=1)


class LossWeights(StrictModel):
    """The weight of each term of the training loss.

    Attributes:
        mel_l1: Mean absolute error of the mel (and of the coarse mel under a postnet).
        mel_mse: Mean squared error of the mel.
        duration: Mean squared error of the natural log of (frames + 1).
        stop: Binary cross-entropy of the stop token.
        stop_positive_weight: Weight of the one last frame against the others in it.
    """

    mel_l1: float = Field(1.0, ge=0)
    mel_mse: float = Field(0.0, ge=0)
    duration: float = Field(1.0, ge=0)
    stop: float = Field(1.0, ge=0)
    stop_positive_weight: float = Field(10.0, gt=0)


class ModelSpec(StrictModel):
    """A text-to-speech acoustic model, as a spec file describes it.

    Attributes:
        format: Version of the format of the file.
        name: The author's name for the model.
        vocab_size: Number of phoneme indices, padding included.
        pad_id: The index that means padding; no frontend emits it for a phoneme.
        mel_dim: Mel channels.
        hidden_dim: The width that components take that set none.
        encoder: Phoneme indices to hidden.
        duration_predictor: Hidden to frames; null for a decoder that reads the phonemes itself.
        regulator: Hidden to memory, one vector a frame; null with the duration predictor.
        decoder: Memory to mel.
        postnet: Coarse mel to refined mel, or null.
        gradient_checkpointing: Segments, or null for off.
        loss: Weights of the training loss.
        audio: What the mel's numbers mean, or null where only tensors are dealt with.
        frontend: Text to phoneme indices, for the command line.
        vocoder: Mel to waveform, for the command line.
        plugins: Distributions that the spec needs, each with a version specifier.
    """

    format: Annotated[Literal[1], BeforeValidator(_integer)] = 1
    name: str = Field("model", min_length=1)
    vocab_size: int = Field(63, ge=2)
    pad_id: int = Field(0, ge=0)
    mel_dim: int = Field(80, ge=1)
    hidden_dim: int = Field(512, ge=1)
    encoder: EncoderParams
    duration_predictor: DurationPredictorParams | None
    regulator: RegulatorParams | None
    decoder: DecoderParams
    postnet: PostnetParams | None = None
    gradient_checkpointing: GradientCheckpointing | None = GradientCheckpointing()
    loss: LossWeights = LossWeights()
    audio: AudioSettings | None = None
    frontend: FrontendParams | None = None
    vocoder: VocoderParams | None = None
    plugins: Mapping[str, str] = Field(default_factory=dict)

    @property
    def sizes(self) -> Sizes:
        """The sizes that the spec states at its top."""
        return Sizes(self.vocab_size, self.pad_id, self.mel_dim, self.hidden_dim)
