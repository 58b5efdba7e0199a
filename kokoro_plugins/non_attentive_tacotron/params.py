"""The settings of Non-Attentive Tacotron's parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.component import StrictModel
from kokoro_core.params.sizes import (
    LAYER,
    Size,
    Sizes,
    batch_norm,
    conv1d,
    embedding,
    linear,
)
from kokoro_core.slots import (
    DecoderParams,
    DurationPredictorParams,
    EncoderParams,
    RegulatorParams,
)

if TYPE_CHECKING:
    from kokoro_plugins.non_attentive_tacotron.decoder import LstmDecoder
    from kokoro_plugins.non_attentive_tacotron.duration_predictor import RecurrentDurationPredictor
    from kokoro_plugins.non_attentive_tacotron.encoder import TacotronEncoder
    from kokoro_plugins.non_attentive_tacotron.regulator import LearnedRangesRegulator


def lstm(inputs: int, width: int) -> Size:
    """Return the size of an LSTM layer as torch has it: four gates, each with two biases."""
    return LAYER + Size(4 * width * (inputs + width + 2))


def bidirectional_lstm(inputs: int, width: int, num_layers: int) -> Size:
    """Return the size of a `BidirectionalLstm`."""
    first, other = lstm(inputs, width // 2), lstm(width, width // 2)
    both = Size(2 * first.parameters) + Size(2 * other.parameters) * (num_layers - 1)
    return both + LAYER * num_layers


class TacotronEncoderParams(EncoderParams):
    """Convolutions with batch normalisation, then an LSTM in both directions (Tacotron 2).

    In training, rows depend on each other through the batch statistics.

    Attributes:
        hidden_dim: Width, even; null: the spec's.
        kernel_size: Phonemes that each convolution sees, odd.
        num_layers: Number of convolutions.
        dropout: Dropout after each convolution.
    """

    type: Literal["tacotron"] = "tacotron"
    hidden_dim: int | None = Field(default=None, ge=2)
    kernel_size: int = Field(default=5, ge=1)
    num_layers: int = Field(default=3, ge=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)

    @field_validator("kernel_size")
    @classmethod
    def _is_odd(cls, kernel_size: int) -> int:
        if kernel_size % 2 == 0:
            raise ValueError(f"must be odd to have a middle, not {kernel_size}; 5 is Tacotron 2's")
        return kernel_size

    @property
    def capabilities(self) -> Capabilities:
        """No LSTM is compiled into one graph."""
        return Capabilities(compilable=False)

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield the width if it is odd."""
        if sizes.hidden_dim % 2:
            yield "hidden_dim", f"must be even, half for each direction, not {sizes.hidden_dim}"

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the embedding, the convolutions, their norms and the LSTM."""
        width = sizes.hidden_dim
        layer = LAYER + conv1d(width, width, self.kernel_size) + batch_norm(width)
        stack = layer * self.num_layers + bidirectional_lstm(width, width, 1)
        return stack + embedding(sizes.vocab_size, width)

    def build(self, sizes: Sizes) -> TacotronEncoder:
        """Return the encoder."""
        from kokoro_plugins.non_attentive_tacotron.encoder import TacotronEncoder

        return TacotronEncoder(
            vocab_size=sizes.vocab_size,
            hidden_dim=sizes.hidden_dim,
            kernel_size=self.kernel_size,
            num_layers=self.num_layers,
            dropout=self.dropout,
        )


class RecurrentParams(StrictModel):
    """The settings of both predictors.

    Attributes:
        lstm_dim: Channels of each recurrent layer, both directions together, even.
        num_layers: Number of recurrent layers.
    """

    lstm_dim: int = Field(default=512, ge=2, multiple_of=2)
    num_layers: int = Field(default=2, ge=1)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return narrow layers."""
        return {"": {"lstm_dim": 6}}


class RecurrentDurationPredictorParams(RecurrentParams, DurationPredictorParams):
    """LSTMs in both directions, then a linear layer (Non-Attentive Tacotron, Shen et al., 2020)."""

    type: Literal["lstm"] = "lstm"

    @property
    def capabilities(self) -> Capabilities:
        """No LSTM is compiled into one graph."""
        return Capabilities(compilable=False)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the recurrent layers and the output layer."""
        stack = bidirectional_lstm(sizes.hidden_dim, self.lstm_dim, self.num_layers)
        return stack + linear(self.lstm_dim, 1)

    def build(self, sizes: Sizes) -> RecurrentDurationPredictor:
        """Return the duration predictor."""
        from kokoro_plugins.non_attentive_tacotron.duration_predictor import (
            RecurrentDurationPredictor,
        )

        return RecurrentDurationPredictor(
            hidden_dim=sizes.hidden_dim, lstm_dim=self.lstm_dim, num_layers=self.num_layers
        )


class LearnedRangesParams(RecurrentParams, RegulatorParams):
    """Gaussian upsampling with learned ranges (Non-Attentive Tacotron, Shen et al., 2020)."""

    type: Literal["learned_ranges"] = "learned_ranges"

    @property
    def capabilities(self) -> Capabilities:
        """A frame is a blend, as wide as the phonemes' vectors say."""
        return Capabilities(blends=True, learned_ranges=True, compilable=False)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the recurrent layers and the output layer."""
        stack = bidirectional_lstm(sizes.hidden_dim + 1, self.lstm_dim, self.num_layers)
        return stack + linear(self.lstm_dim, 1)

    def build(self, sizes: Sizes) -> LearnedRangesRegulator:
        """Return the regulator."""
        from kokoro_plugins.non_attentive_tacotron.regulator import LearnedRangesRegulator

        return LearnedRangesRegulator(
            hidden_dim=sizes.hidden_dim, lstm_dim=self.lstm_dim, num_layers=self.num_layers
        )


class LstmDecoderParams(DecoderParams):
    """Tacotron 2's recurrent decoder without attention (Non-Attentive Tacotron).

    Attributes:
        prenet_dim: Width of both layers of the prenet.
        lstm_dim: Width of each recurrent layer.
        num_layers: Number of recurrent layers.
        place_dim: Channels of the sinusoids that say how far a phoneme has come, even; 0: none.
        dropout: Dropout in the prenet.
        speaking_dropout: Whether the prenet drops in speaking too, as Tacotron 2's does.
    """

    type: Literal["lstm"] = "lstm"
    prenet_dim: int = Field(default=256, ge=1)
    lstm_dim: int = Field(default=1024, ge=1)
    num_layers: int = Field(default=2, ge=1)
    place_dim: int = Field(default=32, ge=0, multiple_of=2)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    speaking_dropout: bool = True

    @property
    def needs(self) -> frozenset[str]:
        """The plan, if the place inside the phoneme is wanted."""
        return frozenset({"plan"} if self.place_dim else ())

    @property
    def capabilities(self) -> Capabilities:
        """A frame knows the memory up to its own; no LSTM is compiled into one graph."""
        return Capabilities(compilable=False, receptive_field=(None, 0))

    @property
    def has_stop_head(self) -> bool:
        """The plan ends the rows."""
        return False

    @property
    def frame_by_frame(self) -> tuple[str, ...]:
        """The memory of each frame goes into that frame, whatever the settings."""
        return ("type",)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return narrow layers with and without the place."""
        narrow = {"prenet_dim": 16, "lstm_dim": 6, "dropout": 0.0}
        return {"": {**narrow, "place_dim": 4}, "placeless": {**narrow, "place_dim": 0}}

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the prenet, the recurrent layers and the output layer."""
        width, wide = sizes.hidden_dim + self.place_dim, self.lstm_dim
        prenet = linear(sizes.mel_dim, self.prenet_dim) + linear(self.prenet_dim, self.prenet_dim)
        stack = lstm(self.prenet_dim + width, wide) + lstm(wide, wide) * (self.num_layers - 1)
        return prenet + stack + linear(wide + width, sizes.mel_dim)

    def build(self, sizes: Sizes) -> LstmDecoder:
        """Return the decoder."""
        from kokoro_plugins.non_attentive_tacotron.decoder import LstmDecoder

        return LstmDecoder(
            mel_dim=sizes.mel_dim,
            hidden_dim=sizes.hidden_dim,
            prenet_dim=self.prenet_dim,
            lstm_dim=self.lstm_dim,
            num_layers=self.num_layers,
            place_dim=self.place_dim,
            dropout=self.dropout,
            speaking_dropout=self.speaking_dropout,
        )
