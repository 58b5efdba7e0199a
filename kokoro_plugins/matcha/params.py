"""Settings of Matcha-TTS's parts; this file imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.component import StrictModel
from kokoro_core.params.features import PartName
from kokoro_core.params.options import Option
from kokoro_core.params.sizes import (
    LAYER,
    UNKNOWN_PART,
    Size,
    Sizes,
    conv1d,
    embedding,
    layer_norm,
    linear,
)
from kokoro_core.slots import DecoderParams, EncoderParams, PositionalEncodingParams

if TYPE_CHECKING:
    from kokoro_plugins.matcha.decoder import FlowMatchingDecoder
    from kokoro_plugins.matcha.encoder import MatchaEncoder


def _odd(kernel_size: int) -> int:
    if kernel_size % 2 == 0:
        raise ValueError(f"must be odd to have a middle, not {kernel_size}")
    return kernel_size


Kernel = Annotated[int, Field(ge=1), AfterValidator(_odd)]
Channels = Annotated[int, Field(ge=8, multiple_of=8)]


class PrenetParams(StrictModel):
    """The settings of the convolutions before the layers.

    Attributes:
        num_layers: Number of convolutions.
        kernel_size: Phonemes that each sees, odd.
        dropout: Dropout after each.
    """

    num_layers: int = Field(default=3, ge=1)
    kernel_size: Kernel = 5
    dropout: float = Field(default=0.5, ge=0, lt=1)

    def size(self, width: int) -> Size:
        """Return the size of the convolutions, their norms and the last layer."""
        layer = LAYER + conv1d(width, width, self.kernel_size) + layer_norm(width)
        return layer * self.num_layers + linear(width, width)


class MatchaEncoderParams(EncoderParams):
    """Convolutions, then self-attention and convolutions by turns (Matcha-TTS; Glow-TTS).

    Attributes:
        hidden_dim: Width; null: the spec's.
        prenet: The convolutions before the layers; null: none.
        num_layers: Layers.
        num_heads: Attention heads; must divide the width.
        ff_dim: Channels between the two convolutions of a layer.
        kernel_size: Phonemes that each of them sees, odd.
        dropout: Of attention weights, between these convolutions and of each block's result.
        positional_encoding: Of the layers.
        prior: Whether it also gives the part ``mu``, the mean of each phoneme's frames.
    """

    type: Literal["matcha"] = "matcha"
    hidden_dim: int | None = Field(default=None, ge=1)
    prenet: PrenetParams | None = PrenetParams()
    num_layers: int = Field(default=6, ge=1)
    num_heads: int = Field(default=2, ge=1)
    ff_dim: int = Field(default=768, ge=1)
    kernel_size: Kernel = 3
    dropout: float = Field(default=0.1, ge=0, lt=1)
    positional_encoding: PositionalEncodingParams
    prior: bool = True

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return one with all parts, and one without prenet and prior."""
        rotary = {"positional_encoding": {"type": "rotary", "fraction": 0.5}}
        return {"": rotary, "plain": {**rotary, "prenet": None, "prior": False}}

    def gives_parts(self, sizes: Sizes) -> Mapping[str, int]:
        """Return the means, as wide as the mel."""
        return {"mu": sizes.mel_dim} if self.prior else {}

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

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the embedding, the prenet, the layers and the prior."""
        width = sizes.hidden_dim
        convs = conv1d(width, self.ff_dim, self.kernel_size)
        convs += conv1d(self.ff_dim, width, self.kernel_size)
        layer = LAYER + linear(width, width) * 4 + convs + layer_norm(width) * 2
        positions = self.positional_encoding.size(hidden_dim=width, num_heads=self.num_heads)
        prenet = self.prenet.size(width) if self.prenet else Size()
        prior = linear(width, sizes.mel_dim) if self.prior else Size()
        ends = embedding(sizes.vocab_size, width) + prenet + prior
        return ends + layer * self.num_layers + (positions or UNKNOWN_PART)

    def build(self, sizes: Sizes) -> MatchaEncoder:
        """Return the encoder."""
        from kokoro_plugins.matcha.encoder import MatchaEncoder, MatchaEncoderLayer, Prenet

        width, of_prenet = sizes.hidden_dim, self.prenet
        return MatchaEncoder(
            vocab_size=sizes.vocab_size,
            hidden_dim=width,
            prenet=Prenet(hidden_dim=width, **of_prenet.model_dump()) if of_prenet else None,
            layers=[
                MatchaEncoderLayer(
                    hidden_dim=width,
                    num_heads=self.num_heads,
                    ff_dim=self.ff_dim,
                    kernel_size=self.kernel_size,
                    dropout=self.dropout,
                )
                for _ in range(self.num_layers)
            ],
            positional_encoding=self.positional_encoding.build(
                hidden_dim=width, num_heads=self.num_heads
            ),
            prior_dim=sizes.mel_dim if self.prior else None,
        )


class FlowMatchingParams(DecoderParams):
    """A U-Net that leads from noise to a mel by conditional flow matching (Matcha-TTS).

    Attributes:
        condition: The encoder's part that it sees, of as many channels as the mel; null: the
            memory, with all that adaptors and conditioners have added to it.
        channels: Channels of the stages from the full resolution down to the lowest, each half the
            one before; multiples of 8.
        num_mid_stages: Further stages at the lowest resolution.
        num_blocks: Transformer blocks of each stage.
        num_heads: Attention heads.
        head_dim: Channels of each head.
        dropout: Dropout of the transformer blocks.
        frequencies: Channels of the sinusoids of the time, even.
        sigma_min: Standard deviation of the noise that is left at the end of the way.
        steps: Euler steps from noise to a mel where no option says otherwise.
    """

    type: Literal["flow_matching"] = "flow_matching"
    parallel: ClassVar[bool] = True
    condition: PartName | None = None
    channels: Annotated[tuple[Channels, ...], Field(strict=False, min_length=1)] = (256, 256)
    num_mid_stages: int = Field(default=2, ge=0)
    num_blocks: int = Field(default=1, ge=0)
    num_heads: int = Field(default=2, ge=1)
    head_dim: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    frequencies: int = Field(default=160, ge=4, multiple_of=2)
    sigma_min: float = Field(default=1e-4, ge=0, lt=1)
    steps: int = Field(default=10, ge=1)

    @property
    def needs(self) -> frozenset[str]:
        """Noise, and the condition where it is a part of the encoder's."""
        return frozenset({"noise", self.condition} if self.condition else {"noise"})

    @property
    def options(self) -> Mapping[str, Option]:
        """How the way from noise to a mel is gone."""
        return {
            "steps": Option(
                self.steps, low=1, high=1000, help="Euler steps from noise to the mel."
            ),
            "temperature": Option(
                0.667, low=0.0, high=10.0, help="Standard deviation of the noise at the start."
            ),
        }

    @property
    def losses(self) -> Mapping[str, float | None]:
        """The error of the velocities."""
        return {"flow": 1.0}

    @property
    def replaces(self) -> frozenset[str]:
        """The mel's losses: what it makes in training is an estimate by the way."""
        return frozenset({"mel"})

    @property
    def capabilities(self) -> Capabilities:
        """Drawn numbers are in no graph."""
        return Capabilities(compilable=False)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return one of three resolutions that speaks in two steps.

        Groups of three channels at least: a single one at a single step is normalised to 0.
        """
        small = {"num_mid_stages": 1, "head_dim": 3, "frequencies": 4, "steps": 2}
        return {"": {**small, "channels": [24, 24, 32]}}

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the estimator."""
        channels, time_dim = self.channels, 4 * self.channels[0]
        above = (*channels[-2::-1], channels[0])
        condition = sizes.mel_dim if self.condition else sizes.hidden_dim

        def stage(inputs: int, width: int) -> Size:
            return self._stage_size(inputs, width, time_dim)

        parts = [
            linear(self.frequencies, time_dim) + linear(time_dim, time_dim),
            *map(stage, (sizes.mel_dim + condition, *channels[:-1]), channels),
            *(conv1d(each, each, 3) for each in channels),
            stage(channels[-1], channels[-1]) * self.num_mid_stages,
            *map(stage, (2 * below for below in channels[::-1]), above),
            *(conv1d(each, each, 4) for each in above[:-1]),
            conv1d(channels[0], channels[0], 3) * 2 + layer_norm(channels[0]),
            linear(channels[0], sizes.mel_dim),
        ]
        return sum(parts, Size())

    def _stage_size(self, inputs: int, width: int, time_dim: int) -> Size:
        convs = conv1d(inputs, width, 3) + conv1d(width, width, 3) + layer_norm(width) * 2
        attention = Size(4 * width * self.num_heads * self.head_dim + width)
        forward = linear(width, 4 * width) + Size(8 * width) + linear(4 * width, width)
        block = LAYER + attention + forward + layer_norm(width) * 2
        return convs + linear(inputs, width) + linear(time_dim, width) + block * self.num_blocks

    def build(self, sizes: Sizes) -> FlowMatchingDecoder:
        """Return the decoder."""
        from kokoro_plugins.matcha.decoder import FlowMatchingDecoder
        from kokoro_plugins.matcha.unet import UNet

        condition = sizes.mel_dim if self.condition else sizes.hidden_dim
        estimator = UNet(
            in_channels=sizes.mel_dim + condition,
            out_channels=sizes.mel_dim,
            channels=self.channels,
            num_mid_stages=self.num_mid_stages,
            num_blocks=self.num_blocks,
            num_heads=self.num_heads,
            head_dim=self.head_dim,
            dropout=self.dropout,
            frequencies=self.frequencies,
        )
        return FlowMatchingDecoder(
            estimator=estimator,
            mel_dim=sizes.mel_dim,
            condition=self.condition,
            sigma_min=self.sigma_min,
            steps=self.steps,
        )
