"""Settings of the sound components; with the name of a mutant they build that instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.component import StrictModel
from kokoro_core.params.features import Feature
from kokoro_core.params.sizes import Size, Sizes, conv1d, layer_norm, linear
from kokoro_core.slots import (
    AdaptorParams,
    AlignerParams,
    ConditionerParams,
    DecoderParams,
    DurationPredictorParams,
    EncoderParams,
    PositionalEncodingParams,
    PostnetParams,
    RegulatorParams,
)

if TYPE_CHECKING:
    from kokoro_core.contracts import (
        Adaptor,
        Aligner,
        AutoregressiveDecoder,
        Conditioner,
        DurationPredictor,
        Encoder,
        ParallelDecoder,
        PositionalEncoding,
        Postnet,
        Regulator,
    )


Component = TypeVar("Component")


class Breakable(StrictModel):
    """Settings that may name a mutant, and may say anything of themselves.

    Attributes:
        mutant: Name of the broken class to build; empty: the sound one.
        declares: Capabilities that replace the true ones.
    """

    mutant: str = ""
    declares: dict[str, Any] = Field(default_factory=dict)
    truth: ClassVar[dict[str, Any]] = {}

    @property
    def capabilities(self) -> Capabilities:
        """The true capabilities, or what is declared instead."""
        said = {**self.truth, **self.declares}
        if "detached_inputs" in said:  # a set is no value that JSON has
            said["detached_inputs"] = frozenset(said["detached_inputs"])
        return Capabilities(**said)

    def chosen(self, sound: type[Component]) -> type[Component]:
        """Return the class to build."""
        if not self.mutant:
            return sound
        from tests.kokoro_core.testing.mutants.catalogue import find_mutant

        return find_mutant(self.mutant).component or sound


class AttentionEncoderParams(Breakable, EncoderParams):
    """Embedding, sinusoids and two layers of attention."""

    type: Literal["sound_attention"] = "sound_attention"
    truth: ClassVar[dict[str, Any]] = {"exportable": True}
    num_layers: int = 2
    dropout: float = 0.0

    def build(self, sizes: Sizes) -> Encoder:
        """Return the encoder."""
        from tests.kokoro_core.testing.mutants.sound_encoders import AttentionEncoder

        return self.chosen(AttentionEncoder)(
            sizes=sizes, num_layers=self.num_layers, dropout=self.dropout
        )


class ConvEncoderParams(Breakable, EncoderParams):
    """Embedding and two convolutions, each normed."""

    type: Literal["sound_conv"] = "sound_conv"
    truth: ClassVar[dict[str, Any]] = {"receptive_field": 2}
    dropout: float = 0.0

    def build(self, sizes: Sizes) -> Encoder:
        """Return the encoder."""
        from tests.kokoro_core.testing.mutants.sound_encoders import ConvEncoder

        return self.chosen(ConvEncoder)(sizes=sizes, dropout=self.dropout)


class ConvPredictorParams(Breakable, DurationPredictorParams):
    """Two convolutions and a linear layer."""

    type: Literal["sound_conv"] = "sound_conv"
    truth: ClassVar[dict[str, Any]] = {"receptive_field": 2}
    dropout: float = 0.0

    def size(self, sizes: Sizes) -> Size | None:
        """Return the size of the convolutions, their norms and the way out."""
        width = sizes.hidden_dim
        return (conv1d(width, width, 3) + layer_norm(width)) * 2 + linear(width, 1)

    def build(self, sizes: Sizes) -> DurationPredictor:
        """Return the duration predictor."""
        from tests.kokoro_core.testing.mutants.sound_durations import ConvPredictor

        return self.chosen(ConvPredictor)(width=sizes.hidden_dim, dropout=self.dropout)


class OwnLossParams(ConvPredictorParams):
    """The same with a loss of its own."""

    type: Literal["sound_own_loss"] = "sound_own_loss"  # type: ignore[assignment]

    def build(self, sizes: Sizes) -> DurationPredictor:
        """Return the duration predictor."""
        from tests.kokoro_core.testing.mutants.sound_durations import OwnLossPredictor

        return self.chosen(OwnLossPredictor)(width=sizes.hidden_dim, dropout=self.dropout)


class DetachedParams(ConvPredictorParams):
    """The same, and its loss teaches nothing that came before."""

    type: Literal["sound_detached"] = "sound_detached"  # type: ignore[assignment]
    truth: ClassVar[dict[str, Any]] = {"receptive_field": 2, "detached_inputs": ["hidden"]}

    def build(self, sizes: Sizes) -> DurationPredictor:
        """Return the duration predictor."""
        from tests.kokoro_core.testing.mutants.sound_durations import DetachedPredictor

        return self.chosen(DetachedPredictor)(width=sizes.hidden_dim, dropout=self.dropout)


class LikelihoodParams(Breakable, DurationPredictorParams):
    """A predictor with a loss of its own, that samples its frames."""

    type: Literal["sound_likelihood"] = "sound_likelihood"
    truth: ClassVar[dict[str, Any]] = {"receptive_field": 0}

    @property
    def needs(self) -> frozenset[str]:
        """Noise, to sample from."""
        return frozenset({"noise"})

    def build(self, sizes: Sizes) -> DurationPredictor:
        """Return the duration predictor."""
        from tests.kokoro_core.testing.mutants.sound_durations import LikelihoodPredictor

        return self.chosen(LikelihoodPredictor)(width=sizes.hidden_dim)


class RepeatParams(Breakable, RegulatorParams):
    """Repeats vectors."""

    type: Literal["sound_repeat"] = "sound_repeat"

    def build(self, sizes: Sizes) -> Regulator:
        """Return the regulator."""
        from tests.kokoro_core.testing.mutants.sound_regulators import Repeat

        return self.chosen(Repeat)()


class BlendParams(Breakable, RegulatorParams):
    """Blends vectors by their distance."""

    type: Literal["sound_blend"] = "sound_blend"
    truth: ClassVar[dict[str, Any]] = {"blends": True}

    def build(self, sizes: Sizes) -> Regulator:
        """Return the regulator."""
        from tests.kokoro_core.testing.mutants.sound_regulators import Blend

        return self.chosen(Blend)()


class RangesParams(Breakable, RegulatorParams):
    """Blends vectors by their distance and by how far each reaches."""

    type: Literal["sound_ranges"] = "sound_ranges"
    truth: ClassVar[dict[str, Any]] = {"blends": True, "learned_ranges": True}

    def build(self, sizes: Sizes) -> Regulator:
        """Return the regulator."""
        from tests.kokoro_core.testing.mutants.sound_regulators import LearnedRanges

        return self.chosen(LearnedRanges)(width=sizes.hidden_dim)


class AttentionDecoderParams(Breakable, DecoderParams):
    """Makes frames from frames before and a memory of any length, with caches."""

    type: Literal["sound_attention"] = "sound_attention"
    reduction_factor: int = 1
    dropout: float = 0.0

    def build(self, sizes: Sizes) -> AutoregressiveDecoder:
        """Return the decoder."""
        from tests.kokoro_core.testing.mutants.sound_decoders import AttentionDecoder

        return self.chosen(AttentionDecoder)(
            sizes=sizes, reduction_factor=self.reduction_factor, dropout=self.dropout
        )


class CellDecoderParams(Breakable, DecoderParams):
    """A recurrent cell over the memory of each frame."""

    type: Literal["sound_cell"] = "sound_cell"
    relay: bool = False
    truth: ClassVar[dict[str, Any]] = {"receptive_field": (None, 0)}

    @property
    def frame_by_frame(self) -> tuple[str, ...]:
        """It reads the memory of each frame at that frame."""
        return ("type",)

    def build(self, sizes: Sizes) -> AutoregressiveDecoder:
        """Return the decoder."""
        from tests.kokoro_core.testing.mutants.sound_cell import CellDecoder
        from tests.kokoro_core.testing.mutants.sound_relay import RelayDecoder

        return self.chosen(RelayDecoder if self.relay else CellDecoder)(sizes=sizes)


class ParallelParams(Breakable, DecoderParams):
    """Makes all frames at once with a layer of attention and a convolution."""

    parallel: ClassVar[bool] = True

    type: Literal["sound_parallel"] = "sound_parallel"
    dropout: float = 0.0

    def build(self, sizes: Sizes) -> ParallelDecoder:
        """Return the decoder."""
        from tests.kokoro_core.testing.mutants.sound_parallel import SoundParallel

        return self.chosen(SoundParallel)(sizes=sizes, dropout=self.dropout)


class FlowParams(Breakable, DecoderParams):
    """Makes all frames from noise, with a loss of its own."""

    parallel: ClassVar[bool] = True

    type: Literal["sound_flow"] = "sound_flow"
    truth: ClassVar[dict[str, Any]] = {"receptive_field": 0}

    @property
    def needs(self) -> frozenset[str]:
        """Noise, to begin with."""
        return frozenset({"noise"})

    def build(self, sizes: Sizes) -> ParallelDecoder:
        """Return the decoder."""
        from tests.kokoro_core.testing.mutants.sound_parallel import Flow

        return self.chosen(Flow)(sizes=sizes)


class ConvPostnetParams(Breakable, PostnetParams):
    """Two convolutions whose result is added to the mel."""

    type: Literal["sound_conv"] = "sound_conv"
    truth: ClassVar[dict[str, Any]] = {"receptive_field": 2}
    dropout: float = 0.0

    def build(self, sizes: Sizes) -> Postnet:
        """Return the postnet."""
        from tests.kokoro_core.testing.mutants.sound_postnets import SoundPostnet

        return self.chosen(SoundPostnet)(mel_dim=sizes.mel_dim, dropout=self.dropout)


class RoundedParams(ConvPostnetParams):
    """Two convolutions with steps between them, and the gradient of a line there."""

    type: Literal["sound_rounded"] = "sound_rounded"  # type: ignore[assignment]
    truth: ClassVar[dict[str, Any]] = {"receptive_field": 2, "exact_gradient": False}

    def build(self, sizes: Sizes) -> Postnet:
        """Return the postnet."""
        from tests.kokoro_core.testing.mutants.sound_postnets import RoundedPostnet

        return self.chosen(RoundedPostnet)(mel_dim=sizes.mel_dim, dropout=self.dropout)


class NormedPostnetParams(ConvPostnetParams):
    """The same, with batch normalisation over the valid frames."""

    type: Literal["sound_normed"] = "sound_normed"  # type: ignore[assignment]

    def build(self, sizes: Sizes) -> Postnet:
        """Return the postnet."""
        from tests.kokoro_core.testing.mutants.sound_postnets import NormedPostnet

        return self.chosen(NormedPostnet)(mel_dim=sizes.mel_dim, dropout=self.dropout)


class SinusoidParams(Breakable, PositionalEncodingParams):
    """Adds sinusoids from a table."""

    type: Literal["sound_sinusoid"] = "sound_sinusoid"

    def build(self, *, hidden_dim: int, num_heads: int) -> PositionalEncoding:
        """Return the positional encoding."""
        from tests.kokoro_core.testing.mutants.sound_positions import Sinusoid

        return self.chosen(Sinusoid)(width=hidden_dim)


class RotaryParams(Breakable, PositionalEncodingParams):
    """Turns queries and keys."""

    type: Literal["sound_rotary"] = "sound_rotary"

    def build(self, *, hidden_dim: int, num_heads: int) -> PositionalEncoding:
        """Return the positional encoding."""
        from tests.kokoro_core.testing.mutants.sound_positions import Rotary

        return self.chosen(Rotary)(head_dim=hidden_dim // num_heads)


class RelativeParams(Breakable, PositionalEncodingParams):
    """Biases by distance, learned vectors for scores and values (Shaw et al., 2018)."""

    type: Literal["sound_relative"] = "sound_relative"

    def build(self, *, hidden_dim: int, num_heads: int) -> PositionalEncoding:
        """Return the positional encoding."""
        from tests.kokoro_core.testing.mutants.sound_positions import Relative

        return self.chosen(Relative)(num_heads=num_heads, head_dim=hidden_dim // num_heads)


class MassAlignerParams(Breakable, AlignerParams):
    """Shares the frames among phonemes as attention to them does."""

    type: Literal["sound_mass"] = "sound_mass"
    truth: ClassVar[dict[str, Any]] = {"compilable": False}

    @property
    def losses(self) -> Mapping[str, float | None]:
        """Minus the log-probability of the alignment."""
        return {"nll": 1.0}

    def build(self, sizes: Sizes) -> Aligner:
        """Return the aligner."""
        from tests.kokoro_core.testing.mutants.sound_aligner import MassAligner

        return self.chosen(MassAligner)(sizes=sizes)


class CurveParams(Breakable, AdaptorParams):
    """Predicts a curve and adds its embedding."""

    type: Literal["sound_curve"] = "sound_curve"
    truth: ClassVar[dict[str, Any]] = {"receptive_field": 1}
    dropout: float = 0.0

    @property
    def target(self) -> Feature | None:
        """One number a step."""
        return Feature()

    @property
    def losses(self) -> Mapping[str, float | None]:
        """The squared error."""
        return {"error": 1.0}

    def build(self, sizes: Sizes) -> Adaptor:
        """Return the adaptor."""
        from tests.kokoro_core.testing.mutants.sound_adaptor import CurveAdaptor

        return self.chosen(CurveAdaptor)(width=sizes.hidden_dim, dropout=self.dropout)


class VoiceParams(Breakable, ConditionerParams):
    """A vector of the speaker and of a recording."""

    type: Literal["sound_voice"] = "sound_voice"

    @property
    def features(self) -> Mapping[str, Feature]:
        """The speaker, and the recording with its mask."""
        recording = Feature(per="recording")
        return {
            "speaker": Feature(kind="index"),
            "reference": recording,
            "reference_padding_mask": recording,
        }

    def width(self, sizes: Sizes) -> int:
        """Return the width of the vector."""
        return 6

    def build(self, sizes: Sizes) -> Conditioner:
        """Return the conditioner."""
        from tests.kokoro_core.testing.mutants.sound_conditioner import Voice

        return self.chosen(Voice)(speakers=sizes.num_speakers, mel_dim=sizes.mel_dim, width=6)
