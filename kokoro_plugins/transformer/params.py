"""The settings of the plugin's components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.component import StrictModel
from kokoro_core.params.sizes import (
    LAYER,
    UNKNOWN_PART,
    Size,
    Sizes,
    embedding,
    layer_norm,
    linear,
    table,
)
from kokoro_core.slots import (
    DecoderParams,
    DurationPredictorParams,
    EncoderParams,
    PositionalEncodingParams,
    RegulatorParams,
)

if TYPE_CHECKING:
    from kokoro_core.contracts import (
        AutoregressiveDecoder,
        DurationPredictor,
        Encoder,
        ParallelDecoder,
        PositionalEncoding,
        Regulator,
    )
    from kokoro_plugins.transformer.layers import LayerSettings


class SinusoidalParams(PositionalEncodingParams):
    """Fixed sinusoids added to the input (Vaswani et al., 2017).

    Attributes:
        max_len: Number of positions.
        learned_scale: Multiply them by a learned number (Li et al., 2019).
    """

    type: Literal["sinusoidal"] = "sinusoidal"
    max_len: int = Field(default=5000, ge=1)
    learned_scale: bool = False

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return sinusoids as they are and scaled."""
        return {"": {}, "scaled": {"learned_scale": True}}

    def size(self, *, hidden_dim: int, num_heads: int) -> Size:
        """Return the size of the table, and of the scale."""
        return table(self.max_len, hidden_dim) + Size(int(self.learned_scale))

    def build(self, *, hidden_dim: int, num_heads: int) -> PositionalEncoding:
        """Return the positional encoding."""
        from kokoro_plugins.transformer.sinusoidal import SinusoidalEncoding

        return SinusoidalEncoding(
            hidden_dim=hidden_dim, max_len=self.max_len, learned_scale=self.learned_scale
        )


class StackParams(StrictModel):
    """The settings that every stack of transformer layers has.

    Attributes:
        hidden_dim: Width; null: the spec's.
        norm: LayerNorm before each block and once at the end (``pre``), or after each block.
        num_layers: Layers.
        num_heads: Attention heads; must divide the width.
        ff_dim: Width of the feed-forward block.
        dropout: Of embeddings, attention weights and blocks, in training.
        positional_encoding: Tells attention where a vector stands.
    """

    hidden_dim: int | None = Field(default=None, ge=1)
    norm: Literal["pre", "post"] = "pre"
    num_layers: int = Field(default=6, ge=1)
    num_heads: int = Field(default=8, ge=1)
    ff_dim: int = Field(default=2048, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    positional_encoding: PositionalEncodingParams = SinusoidalParams()

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return a stack of each kind of norm."""
        return {"": {}, "post": {"norm": "post"}}

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield the number of heads if it does not divide the width, and what positions forbid."""
        if sizes.hidden_dim % self.num_heads:
            yield (
                "num_heads",
                f"{self.num_heads} heads do not divide the width {sizes.hidden_dim}",
            )
            return
        for field, message in self.positional_encoding.check_stack(
            hidden_dim=sizes.hidden_dim, num_heads=self.num_heads
        ):
            yield f"positional_encoding.{field}", message

    def attention_size(self, sizes: Sizes) -> Size:
        """Return the size of an attention block: four square matrices with biases."""
        return linear(sizes.hidden_dim, sizes.hidden_dim) * 4

    def encoder_layer_size(self, sizes: Sizes) -> Size:
        """Return the size of a layer of self-attention and feed-forward."""
        width = sizes.hidden_dim
        feed_forward = linear(width, self.ff_dim) + linear(self.ff_dim, width)
        return LAYER + self.attention_size(sizes) + feed_forward + layer_norm(width) * 2

    def stack_size(self, sizes: Sizes, layer: Size) -> Size:
        """Return the size of the layers, the final norm and the positional encoding."""
        width = sizes.hidden_dim
        positions = self.positional_encoding.size(hidden_dim=width, num_heads=self.num_heads)
        final_norm = layer_norm(width) if self.norm == "pre" else Size()
        return layer * self.num_layers + final_norm + (positions or UNKNOWN_PART)

    def layer_settings(self, sizes: Sizes) -> LayerSettings:
        """Return what each layer of the stack is made with."""
        from kokoro_plugins.transformer.layers import LayerSettings

        return LayerSettings(
            hidden_dim=sizes.hidden_dim,
            num_heads=self.num_heads,
            ff_dim=self.ff_dim,
            dropout=self.dropout,
            norm=self.norm,
        )

    def build_positions(self, sizes: Sizes) -> PositionalEncoding:
        """Return the positional encoding of the stack."""
        return self.positional_encoding.build(hidden_dim=sizes.hidden_dim, num_heads=self.num_heads)


class TransformerEncoderParams(StackParams, EncoderParams):
    """Transformer encoder (Vaswani et al., 2017): self-attention over the phonemes."""

    type: Literal["transformer"] = "transformer"

    @property
    def capabilities(self) -> Capabilities:
        """It knows the order of phonemes from its positional encoding alone."""
        free = self.positional_encoding.capabilities.position_free
        return Capabilities(position_free=free, exportable=True)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the embedding and the stack."""
        stack = self.stack_size(sizes, self.encoder_layer_size(sizes))
        return stack + embedding(sizes.vocab_size, sizes.hidden_dim)

    def build(self, sizes: Sizes) -> Encoder:
        """Return the encoder."""
        from kokoro_plugins.transformer.encoder import TransformerEncoder

        return TransformerEncoder(
            vocab_size=sizes.vocab_size,
            num_layers=self.num_layers,
            layer=self.layer_settings(sizes),
            positional_encoding=self.build_positions(sizes),
        )


class PlaceParams(StrictModel):
    """Learned embeddings of where inside its phoneme a frame lies.

    Attributes:
        size: Number of embeddings for the frames since the phoneme's start, and as many for the
            frames left in it; what lies farther than the last one takes the last one.
    """

    size: int = Field(default=40, ge=1)

    def embeddings_size(self, width: int) -> Size:
        """Return the size of both tables."""
        return embedding(self.size, width) * 2


class TransformerDecoderParams(StackParams, DecoderParams):
    """Autoregressive transformer decoder with cross-attention and a stop head (Li et al., 2019).

    Attributes:
        add_memory: Add memory[t] to the decoder's input at step t; needs a regulator.
        memory_positions: Give the memory frame positions, so that attention can tell the repeated
            vectors of a phoneme apart.
        place: Embeddings of the place inside the phoneme, or null.
        teacher_mask: Share of the teacher frames that are replaced by the zero frame in training.
        reduction_factor: Frames that one step makes (Tacotron, Wang et al., 2017). With 2, speaking
            takes about half the time and each step has more to foresee.
    """

    type: Literal["transformer"] = "transformer"
    add_memory: bool = True
    memory_positions: bool = True
    place: PlaceParams | None = None
    teacher_mask: float = Field(default=0.0, ge=0, lt=1)
    reduction_factor: int = Field(default=1, ge=1, le=100)

    @property
    def needs(self) -> frozenset[str]:
        """The plan, if the place inside the phoneme is wanted."""
        return frozenset({"plan"} if self.place else ())

    @property
    def capabilities(self) -> Capabilities:
        """Without any place of a memory vector the memory is a set to it."""
        free = self.positional_encoding.capabilities.position_free or not self.memory_positions
        return Capabilities(position_free=free and not self.add_memory and not self.place)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return each kind of norm, with and without the place, and memory of any length."""
        bare = {"add_memory": False, "memory_positions": False}
        return {
            "": {},
            "post": {"norm": "post", "place": {"size": 3}},
            "pairs": {"add_memory": False, "reduction_factor": 2},
            "bare": bare,
        }

    @property
    def frame_by_frame(self) -> tuple[str, ...]:
        """``add_memory``, which adds the memory of each frame to that frame."""
        return ("add_memory",) if self.add_memory else ()

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the stack with cross-attention, the ways in and out, the place."""
        width = sizes.hidden_dim
        crossed = self.attention_size(sizes) + layer_norm(width)
        stack = self.stack_size(sizes, self.encoder_layer_size(sizes) + crossed)
        r = self.reduction_factor
        ends = linear(sizes.mel_dim, width) + linear(width, sizes.mel_dim * r) + linear(width, r)
        place = self.place.embeddings_size(width) if self.place else Size()
        return stack + ends + place

    def build(self, sizes: Sizes) -> AutoregressiveDecoder:
        """Return the decoder."""
        from kokoro_plugins.transformer.decoder import TransformerDecoder

        return TransformerDecoder(
            mel_dim=sizes.mel_dim,
            num_layers=self.num_layers,
            layer=self.layer_settings(sizes),
            positional_encoding=self.build_positions(sizes),
            add_memory=self.add_memory,
            memory_positions=self.memory_positions,
            place_size=self.place.size if self.place else None,
            teacher_mask=self.teacher_mask,
            reduction_factor=self.reduction_factor,
        )


class ParallelTransformerParams(StackParams, DecoderParams):
    """Non-autoregressive transformer decoder: self-attention over the memory (Ren et al., 2019).

    Attributes:
        place: Embeddings of the place inside the phoneme, or null.
    """

    parallel: ClassVar[bool] = True

    type: Literal["parallel_transformer"] = "parallel_transformer"
    place: PlaceParams | None = None

    @property
    def needs(self) -> frozenset[str]:
        """The plan, if the place inside the phoneme is wanted."""
        return frozenset({"plan"} if self.place else ())

    @property
    def capabilities(self) -> Capabilities:
        """It knows the order of frames from its positional encoding, or from their place."""
        free = self.positional_encoding.capabilities.position_free
        return Capabilities(position_free=free and not self.place, exportable=True)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return each kind of norm, with and without the place."""
        return {"": {}, "post": {"norm": "post", "place": {"size": 3}}}

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the stack, the way out and the place."""
        width = sizes.hidden_dim
        stack = self.stack_size(sizes, self.encoder_layer_size(sizes))
        place = self.place.embeddings_size(width) if self.place else Size()
        return stack + linear(width, sizes.mel_dim) + place

    def build(self, sizes: Sizes) -> ParallelDecoder:
        """Return the decoder."""
        from kokoro_plugins.transformer.parallel_decoder import ParallelTransformerDecoder

        return ParallelTransformerDecoder(
            mel_dim=sizes.mel_dim,
            num_layers=self.num_layers,
            layer=self.layer_settings(sizes),
            positional_encoding=self.build_positions(sizes),
            place_size=self.place.size if self.place else None,
        )


class MlpParams(DurationPredictorParams):
    """The original duration predictor: three linear layers for each phoneme on its own.

    Attributes:
        hidden_dim: Width of the input; null: the spec's.
        dropout: After each hidden layer, in training.
    """

    type: Literal["mlp"] = "mlp"
    hidden_dim: int | None = Field(default=None, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @property
    def capabilities(self) -> Capabilities:
        """Each phoneme is on its own."""
        return Capabilities(receptive_field=0, exportable=True)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the three linear layers."""
        width, half = sizes.hidden_dim, sizes.hidden_dim // 2
        return linear(width, width) + linear(width, half) + linear(half, 1)

    def build(self, sizes: Sizes) -> DurationPredictor:
        """Return the duration predictor."""
        from kokoro_plugins.transformer.mlp import MlpDurationPredictor

        return MlpDurationPredictor(hidden_dim=sizes.hidden_dim, dropout=self.dropout)


class RepeatParams(RegulatorParams):
    """Repeats each phoneme for as many frames as it lasts (FastSpeech, Ren et al., 2019)."""

    type: Literal["repeat"] = "repeat"

    @property
    def capabilities(self) -> Capabilities:
        """It can be exported where the number of frames is given."""
        return Capabilities(exportable=True)

    def size(self, sizes: Sizes) -> Size:
        """Return nothing: it has no parameters."""
        return Size()

    def build(self, sizes: Sizes) -> Regulator:
        """Return the regulator."""
        from kokoro_plugins.transformer.repeat import RepeatRegulator

        return RepeatRegulator()
