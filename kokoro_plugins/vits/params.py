"""Settings of the prior side of VITS; this file imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.options import Option
from kokoro_core.params.sizes import LAYER, Size, Sizes, conv1d, embedding, layer_norm, linear
from kokoro_core.slots import (
    DurationPredictorParams,
    EncoderParams,
    ImporterParams,
)

if TYPE_CHECKING:
    from kokoro_plugins.vits.duration_predictor import StochasticDurationPredictor
    from kokoro_plugins.vits.encoder import VitsEncoder
    from kokoro_plugins.vits.importer import VitsImporter


def odd(kernel_size: int) -> int:
    """Refuse a kernel without a middle."""
    if kernel_size % 2 == 0:
        raise ValueError(f"must be odd to have a middle, not {kernel_size}")
    return kernel_size


class VitsEncoderParams(EncoderParams):
    """Attention with relative keys and values, convolutions, and a Gaussian prior (VITS, 2021).

    Its parts `mu` and `log_sigma` are a mean and a log deviation of each phoneme's frames, of as
    many channels as the mel.

    Attributes:
        hidden_dim: Width; null for the spec's.
        num_layers: Layers.
        num_heads: Heads of the attention.
        window: The largest distance that has a key and a value of its own.
        ff_dim: Channels between the two convolutions of a layer.
        kernel_size: Phonemes that each of them sees, odd.
        dropout: Dropout, also of the attention's weights.
        mean_only: Whether the prior has a mean and no log deviation, as in Glow-TTS.
    """

    type: Literal["vits"] = "vits"
    hidden_dim: int | None = Field(default=None, ge=1)
    num_layers: int = Field(default=6, ge=1)
    num_heads: int = Field(default=2, ge=1)
    window: int = Field(default=4, ge=0)
    ff_dim: int = Field(default=768, ge=1)
    kernel_size: int = Field(default=3, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    mean_only: bool = False

    _is_odd = field_validator("kernel_size")(odd)

    def gives_parts(self, sizes: Sizes) -> Mapping[str, int]:
        """Return the width of the prior's mean and log deviation."""
        return dict.fromkeys(("mu",) if self.mean_only else ("mu", "log_sigma"), sizes.mel_dim)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return one with the whole prior, and one with its mean alone."""
        return {"": {}, "mean": {"mean_only": True}}

    def cross_check(self, sizes: Sizes) -> Iterable[tuple[str, str]]:
        """Yield the number of heads if it does not divide the width."""
        if sizes.hidden_dim % self.num_heads:
            yield (
                "num_heads",
                f"{self.num_heads} heads do not divide the width {sizes.hidden_dim}",
            )

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the embedding, the layers and the prior."""
        width = sizes.hidden_dim
        convs = conv1d(width, self.ff_dim, self.kernel_size)
        convs += conv1d(self.ff_dim, width, self.kernel_size)
        relative = Size(2 * (2 * self.window + 1) * (width // self.num_heads))
        layer = LAYER + linear(width, width) * 4 + relative + convs + layer_norm(width) * 2
        prior = linear(width, sum(self.gives_parts(sizes).values()))
        ends = embedding(sizes.vocab_size, width) + prior
        return layer * self.num_layers + ends

    def build(self, sizes: Sizes) -> VitsEncoder:
        """Return the encoder."""
        from kokoro_plugins.vits.encoder import VitsEncoder, VitsLayer

        layer = self.model_dump(include={"num_heads", "window", "ff_dim", "kernel_size", "dropout"})
        layers = [VitsLayer(hidden_dim=sizes.hidden_dim, **layer) for _ in range(self.num_layers)]
        return VitsEncoder(
            vocab_size=sizes.vocab_size,
            hidden_dim=sizes.hidden_dim,
            prior_dim=sizes.mel_dim,
            layers=layers,
            mean_only=self.mean_only,
        )


class StochasticDurationPredictorParams(DurationPredictorParams):
    """A flow of splines from noise to durations, learned by likelihood (VITS, 2021, 2.2.2).

    Attributes:
        kernel_size: Phonemes that each convolution sees, odd; also what its dilation is multiplied
            by from layer to layer.
        num_layers: Layers of convolutions in each place.
        num_flows: Splines of each of the two flows; speaking does without the first of them.
        bins: Bins of the splines.
        bound: The end of the interval in which they bend.
        dropout: Dropout, not within the flows.
        stop_gradient: Whether the predictor teaches only itself.
    """

    type: Literal["stochastic"] = "stochastic"
    kernel_size: int = Field(default=3, ge=1)
    num_layers: int = Field(default=3, ge=1)
    num_flows: int = Field(default=4, ge=2)
    bins: int = Field(default=10, ge=2, lt=1000)
    bound: float = Field(default=5.0, gt=0)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    stop_gradient: bool = True

    _is_odd = field_validator("kernel_size")(odd)

    @property
    def needs(self) -> frozenset[str]:
        """Noise, in training for what is taken from whole frames."""
        return frozenset({"noise"})

    @property
    def options(self) -> Mapping[str, Option]:
        """The deviation of the noise."""
        what = "Standard deviation of the noise of the durations; at 0 nothing is random."
        return {"noise_scale_duration": Option(0.8, low=0.0, help=what)}

    @property
    def losses(self) -> Mapping[str, float | None]:
        """A bound of the negative log-likelihood of the durations."""
        return {"likelihood": 1.0}

    @property
    def replaces(self) -> frozenset[str]:
        """The error of the logarithms."""
        return frozenset({"duration"})

    @property
    def capabilities(self) -> Capabilities:
        """Each spline but the first, and what all of them see, adds the reach of convolutions."""
        reach = sum(self.kernel_size**layer for layer in range(self.num_layers))
        return Capabilities(
            receptive_field=self.num_flows * reach * (self.kernel_size // 2),
            detached_inputs=frozenset({"hidden"} if self.stop_gradient else ()),
        )

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return short flows, in which all that can be reached shows."""
        return {"": {"num_flows": 2, "bins": 4}}

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the convolutions and the two flows."""
        width = sizes.hidden_dim
        depthwise = conv1d(width, width, self.kernel_size, groups=width)
        convs = LAYER + depthwise + linear(width, width) + layer_norm(width) * 2
        convs = convs * self.num_layers
        spline = linear(1, width) + convs + linear(width, 3 * self.bins - 1)
        flow = Size(4) + spline * self.num_flows
        return linear(width, width) * 3 + linear(1, width) + convs * 2 + flow * 2

    def build(self, sizes: Sizes) -> StochasticDurationPredictor:
        """Return the duration predictor."""
        from kokoro_plugins.vits.duration_predictor import StochasticDurationPredictor

        settings = self.model_dump(exclude={"type"})
        return StochasticDurationPredictor(hidden_dim=sizes.hidden_dim, **settings)


class VitsImporterParams(ImporterParams):
    """The prior side of VitsModel of transformers, MMS's voices too: it gives latents, no mels."""

    model_types: ClassVar[tuple[str, ...]] = ("vits",)
    type: Literal["vits"] = "vits"

    def build(self) -> VitsImporter:
        """Return the importer."""
        from kokoro_plugins.vits.importer import VitsImporter

        return VitsImporter()
