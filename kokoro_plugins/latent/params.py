"""The settings of the decoder over latents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.component import StrictModel
from kokoro_core.params.options import Option
from kokoro_core.params.sizes import LAYER, UNKNOWN_PART, Size, Sizes, layer_norm, linear
from kokoro_core.slots import DecoderParams, PositionalEncodingParams

if TYPE_CHECKING:
    from kokoro_plugins.latent.decoder import LatentDecoder
    from kokoro_plugins.latent.flow_head import FlowHead


class FlowHeadParams(StrictModel):
    """The settings of the flow head.

    Attributes:
        width: Channels of its blocks.
        num_layers: Number of blocks.
        frequencies: Channels of the sinusoids of the time, even.
    """

    width: int = Field(default=512, ge=2)
    num_layers: int = Field(default=6, ge=1)
    frequencies: int = Field(default=256, ge=2, multiple_of=2)

    def size(self, latent_dim: int, condition_dim: int) -> Size:
        """Return the size of the head."""
        width = self.width
        time = linear(self.frequencies, width) + linear(width, width) + Size(width)
        block = layer_norm(width) + linear(width, width) * 2 + linear(width, 3 * width)
        ends = linear(latent_dim, width) + linear(condition_dim, width) + linear(width, latent_dim)
        return time + (LAYER + block) * self.num_layers + linear(width, 2 * width) + ends

    def build(self, latent_dim: int, condition_dim: int) -> FlowHead:
        """Return the head."""
        from kokoro_plugins.latent.flow_head import FlowHead

        return FlowHead(
            latent_dim=latent_dim,
            condition_dim=condition_dim,
            width=self.width,
            num_layers=self.num_layers,
            frequencies=self.frequencies,
        )


class LatentDecoderParams(DecoderParams):
    """Causal transformer over groups of frames, each sampled by a flow head (CALM, Pocket-TTS).

    Attributes:
        width: Width of the backbone; null: the spec's.
        num_layers: Layers of the backbone.
        num_heads: Attention heads; must divide the width.
        ff_dim: Width of the feed-forward blocks.
        dropout: Of attention weights and blocks of the backbone.
        positional_encoding: Of the groups.
        head: The flow head.
        reduction_factor: Frames of a latent.
        steps: Euler steps of the flow where no option says otherwise.
        teacher_noise: The most of the variance of the latents that are fed in training that is
            noise, from 0 to 1.
    """

    type: Literal["latent"] = "latent"
    width: int | None = Field(default=None, ge=1)
    num_layers: int = Field(default=6, ge=1)
    num_heads: int = Field(default=16, ge=1)
    ff_dim: int = Field(default=4096, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    positional_encoding: PositionalEncodingParams
    head: FlowHeadParams = FlowHeadParams()
    reduction_factor: int = Field(default=4, ge=1, le=100)
    steps: int = Field(default=4, ge=1)
    teacher_noise: float = Field(default=0.0, ge=0, le=1)

    @property
    def needs(self) -> frozenset[str]:
        """Noise, for the places at which the flow is learned."""
        return frozenset({"noise"})

    @property
    def options(self) -> Mapping[str, Option]:
        """The variance of the noise and the steps of the flow."""
        return {
            "temperature": Option(1.0, low=0.0, help="Variance of the noise of each latent."),
            "steps": Option(self.steps, low=1, high=1000, help="Euler steps of each latent."),
        }

    @property
    def losses(self) -> Mapping[str, float | None]:
        """The error of the velocities."""
        return {"flow": 1.0}

    @property
    def replaces(self) -> frozenset[str]:
        """The mel's losses, which a sample has no part in; the stop loss stays."""
        return frozenset({"mel"})

    @property
    def frame_by_frame(self) -> tuple[str, ...]:
        """The memory of each group's frames goes into that group, whatever the settings."""
        return ("type",)

    @property
    def capabilities(self) -> Capabilities:
        """A group knows the memory up to its own end; drawn numbers are in no graph."""
        return Capabilities(receptive_field=(None, self.reduction_factor - 1), compilable=False)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return a narrow backbone and head, for latents of one frame and of two."""
        small = {
            **{"width": 8, "num_heads": 2, "ff_dim": 12, "steps": 2},
            "positional_encoding": {"type": "rotary"},
            "head": {"width": 6, "num_layers": 1, "frequencies": 4},
        }
        return {"": {**small, "reduction_factor": 1}, "pairs": {**small, "reduction_factor": 2}}

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield the number of heads if it does not divide the width, and what positions forbid."""
        width = self.width or sizes.hidden_dim
        if width % self.num_heads:
            yield "num_heads", f"{self.num_heads} heads do not divide the width {width}"
            return
        for field, message in self.positional_encoding.check_stack(
            hidden_dim=width, num_heads=self.num_heads
        ):
            yield f"positional_encoding.{field}", message

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the backbone, the ways in and out, the positions and the head."""
        width, r = self.width or sizes.hidden_dim, self.reduction_factor
        layer = linear(width, width) * 4 + linear(width, self.ff_dim) + linear(self.ff_dim, width)
        stack = (LAYER + layer + layer_norm(width) * 2) * self.num_layers + layer_norm(width)
        ends = linear(r * sizes.mel_dim, width) + linear(r * sizes.hidden_dim, width)
        positions = self.positional_encoding.size(hidden_dim=width, num_heads=self.num_heads)
        head = self.head.size(r * sizes.mel_dim, width)
        return stack + ends + linear(width, r) + (positions or UNKNOWN_PART) + head

    def build(self, sizes: Sizes) -> LatentDecoder:
        """Return the decoder."""
        from kokoro_plugins.latent.decoder import LatentDecoder
        from kokoro_plugins.latent.layer import CausalLayer

        width = self.width or sizes.hidden_dim
        layer = {"num_heads": self.num_heads, "ff_dim": self.ff_dim}
        return LatentDecoder(
            mel_dim=sizes.mel_dim,
            hidden_dim=sizes.hidden_dim,
            width=width,
            layers=[
                CausalLayer(width=width, dropout=self.dropout, **layer)
                for _ in range(self.num_layers)
            ],
            head=self.head.build(self.reduction_factor * sizes.mel_dim, width),
            positional_encoding=self.positional_encoding.build(
                hidden_dim=width, num_heads=self.num_heads
            ),
            reduction_factor=self.reduction_factor,
            steps=self.steps,
            teacher_noise=self.teacher_noise,
        )
