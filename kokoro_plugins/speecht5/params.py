"""The settings of SpeechT5's parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities, SideInput
from kokoro_core.params.component import StrictModel
from kokoro_core.params.features import Feature
from kokoro_core.params.sizes import (
    LAYER,
    UNKNOWN_PART,
    Size,
    Sizes,
    embedding,
    layer_norm,
    linear,
)
from kokoro_core.slots import (
    DecoderParams,
    EncoderParams,
    ImporterParams,
    PositionalEncodingParams,
)

if TYPE_CHECKING:
    from kokoro_core.contracts import PositionalEncoding
    from kokoro_plugins.speecht5.decoder import SpeechT5Decoder
    from kokoro_plugins.speecht5.encoder import SpeechT5Encoder
    from kokoro_plugins.speecht5.importer import SpeechT5Importer
    from kokoro_plugins.speecht5.layers import LayerSettings


class StackParams(StrictModel):
    """The settings of both stacks.

    Attributes:
        hidden_dim: Width; null: the spec's.
        num_layers: Layers.
        num_heads: Attention heads; must divide the width.
        ff_dim: Width of the feed-forward blocks.
        dropout: Of the input, attention weights and blocks, in training.
        positional_encoding: Of the phonemes, or of the groups of frames.
    """

    hidden_dim: int | None = Field(default=None, ge=1)
    num_layers: int = Field(default=6, ge=1)
    num_heads: int = Field(default=12, ge=1)
    ff_dim: int = Field(default=3072, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    positional_encoding: PositionalEncodingParams

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield the number of heads if it does not divide the width, and what positions forbid."""
        width = sizes.hidden_dim
        if width % self.num_heads:
            yield "num_heads", f"{self.num_heads} heads do not divide the width {width}"
            return
        for field, message in self.positional_encoding.check_stack(
            hidden_dim=width, num_heads=self.num_heads
        ):
            yield f"positional_encoding.{field}", message

    def stack_size(self, width: int, attentions: int) -> Size:
        """Return the size of the layers, with so many attention blocks each, and the positions."""
        block = linear(width, width) * 4 + layer_norm(width)
        feed_forward = linear(width, self.ff_dim) + linear(self.ff_dim, width) + layer_norm(width)
        layer = LAYER + block * attentions + feed_forward
        positions = self.positional_encoding.size(hidden_dim=width, num_heads=self.num_heads)
        return layer * self.num_layers + (positions or UNKNOWN_PART)

    def layer_settings(self, width: int) -> LayerSettings:
        """Return what each layer of the stack is made with."""
        from kokoro_plugins.speecht5.layers import LayerSettings

        return LayerSettings(
            hidden_dim=width, num_heads=self.num_heads, ff_dim=self.ff_dim, dropout=self.dropout
        )

    def build_positions(self, width: int) -> PositionalEncoding:
        """Return the positional encoding of the stack."""
        return self.positional_encoding.build(hidden_dim=width, num_heads=self.num_heads)


class SpeechT5EncoderParams(StackParams, EncoderParams):
    """Transformer encoder with a norm before its layers and one after each block (Ao et al., 2022).

    SpeechT5's positions are ``relative_keys`` beside ``sinusoidal`` with a learned scale.
    """

    type: Literal["speecht5"] = "speecht5"
    num_layers: int = Field(default=12, ge=1)

    @property
    def capabilities(self) -> Capabilities:
        """It knows the order of phonemes from its positional encoding alone."""
        return Capabilities(position_free=self.positional_encoding.capabilities.position_free)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return a narrow stack."""
        return {
            "": {
                **{"num_layers": 2, "num_heads": 2, "ff_dim": 12},
                "positional_encoding": {"type": "relative_keys", "max_distance": 3},
            }
        }

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the embedding, the norm and the stack."""
        width = sizes.hidden_dim
        start = embedding(sizes.vocab_size, width) + layer_norm(width)
        return start + self.stack_size(width, attentions=1)

    def build(self, sizes: Sizes) -> SpeechT5Encoder:
        """Return the encoder."""
        from kokoro_plugins.speecht5.encoder import SpeechT5Encoder

        return SpeechT5Encoder(
            vocab_size=sizes.vocab_size,
            num_layers=self.num_layers,
            layer=self.layer_settings(sizes.hidden_dim),
            positional_encoding=self.build_positions(sizes.hidden_dim),
        )


class SpeechT5DecoderParams(StackParams, DecoderParams):
    """Autoregressive decoder over cross-attention that ends itself (SpeechT5, Ao et al., 2022).

    Attributes:
        prenet_dim: Width of both layers of the prenet.
        prenet_dropout: Dropout in the prenet.
        speaking_dropout: Whether the prenet drops in speaking too, as SpeechT5's does.
        speaker_dim: Width of the feature ``speaker_embedding``, such as an x-vector, which a
            conditioner named ``speaker`` makes or the caller gives; null: one speaker.
        reduction_factor: Frames of a group, which one step makes.
        guided_heads: Heads of each layer whose attention is led to the diagonal; 0: none.
        guided_sigma: How far from the diagonal it may be, as a share of the length.
    """

    type: Literal["speecht5"] = "speecht5"
    prenet_dim: int = Field(default=256, ge=1)
    prenet_dropout: float = Field(default=0.5, ge=0, lt=1)
    speaking_dropout: bool = True
    speaker_dim: int | None = Field(default=None, ge=1)
    reduction_factor: int = Field(default=2, ge=1, le=100)
    guided_heads: int = Field(default=2, ge=0)
    guided_sigma: float = Field(default=0.4, gt=0)

    @property
    def needs(self) -> frozenset[str]:
        """The speaker's vector, if it is wanted."""
        return frozenset(self.features)

    @property
    def features(self) -> Mapping[str, Feature]:
        """The form of the speaker's vector."""
        if self.speaker_dim is None:
            return {}
        return {"speaker_embedding": Feature(width=self.speaker_dim)}

    @property
    def losses(self) -> Mapping[str, float | None]:
        """Weight of attention away from the diagonal."""
        return {"guided_attention": 10.0} if self.guided_heads else {}

    @property
    def replaces(self) -> frozenset[str]:
        """Nothing: its loss adds to those of the mel and the stop token."""
        return frozenset()

    @property
    def capabilities(self) -> Capabilities:
        """The memory is a set to it: attention alone finds the phonemes."""
        looks = {name: SideInput(width=each.width) for name, each in self.features.items()}
        return Capabilities(position_free=True, side_inputs=looks)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return a narrow stack, alone and with a speaker and pairs of frames."""
        narrow = {
            **{"num_layers": 2, "num_heads": 2, "ff_dim": 12, "prenet_dim": 16},
            **{"prenet_dropout": 0.0, "reduction_factor": 1, "guided_heads": 1},
            "positional_encoding": {"type": "sinusoidal", "learned_scale": True},
        }
        return {"": narrow, "pairs": {**narrow, "reduction_factor": 2, "speaker_dim": 5}}

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield what the stack forbids, and more guided heads than there are."""
        yield from super().cross_check(sizes)
        if self.guided_heads > self.num_heads:
            yield (
                "guided_heads",
                f"{self.guided_heads} heads cannot be guided, as a layer has {self.num_heads}",
            )

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the prenet, the speaker's way in, the stack and the ways out."""
        width, narrow, r = sizes.hidden_dim, self.prenet_dim, self.reduction_factor
        prenet = linear(sizes.mel_dim, narrow) + linear(narrow, narrow) + linear(narrow, width)
        speaker = Size() if self.speaker_dim is None else linear(width + self.speaker_dim, width)
        ends = linear(width, r * sizes.mel_dim) + linear(width, r)
        return prenet + speaker + self.stack_size(width, attentions=2) + ends

    def build(self, sizes: Sizes) -> SpeechT5Decoder:
        """Return the decoder."""
        from kokoro_plugins.speecht5.decoder import SpeechT5Decoder

        return SpeechT5Decoder(
            mel_dim=sizes.mel_dim,
            num_layers=self.num_layers,
            layer=self.layer_settings(sizes.hidden_dim),
            positional_encoding=self.build_positions(sizes.hidden_dim),
            prenet_dim=self.prenet_dim,
            prenet_dropout=self.prenet_dropout,
            speaking_dropout=self.speaking_dropout,
            speaker_dim=self.speaker_dim,
            reduction_factor=self.reduction_factor,
            guided_heads=self.guided_heads,
            guided_sigma=self.guided_sigma,
        )


class SpeechT5ImporterParams(ImporterParams):
    """SpeechT5ForTextToSpeech of transformers."""

    model_types: ClassVar[tuple[str, ...]] = ("speecht5",)
    type: Literal["speecht5"] = "speecht5"

    def build(self) -> SpeechT5Importer:
        """Return the importer."""
        from kokoro_plugins.speecht5.importer import SpeechT5Importer

        return SpeechT5Importer()
