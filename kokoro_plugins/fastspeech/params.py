"""The settings of FastSpeech's parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import LAYER, Size, Sizes, conv1d, layer_norm, linear
from kokoro_core.slots import DurationPredictorParams

if TYPE_CHECKING:
    from kokoro_plugins.fastspeech.duration_predictor import ConvDurationPredictor


class ConvDurationPredictorParams(DurationPredictorParams):
    """Convolutions with ReLU and LayerNorm, then a linear layer (FastSpeech, Ren et al., 2019).

    Attributes:
        channels: Channels of each convolution.
        kernel_size: Phonemes that each convolution sees, odd.
        num_layers: Number of convolutions.
        dropout: Dropout after each LayerNorm.
        stop_gradient: Whether what it learns leaves the encoder alone.
        rounding: Which whole number of frames is spoken: the nearest, or the next above.
        norm_eps: Added to each LayerNorm's variance.
    """

    type: Literal["conv"] = "conv"
    channels: int = Field(default=256, ge=1)
    kernel_size: int = Field(default=3, ge=1)
    num_layers: int = Field(default=2, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    stop_gradient: bool = False
    rounding: Literal["nearest", "up"] = "nearest"
    norm_eps: float = Field(default=1e-5, gt=0)

    @field_validator("kernel_size")
    @classmethod
    def _is_odd(cls, kernel_size: int) -> int:
        if kernel_size % 2 == 0:
            raise ValueError(f"must be odd to have a middle, not {kernel_size}; 3 is FastSpeech's")
        return kernel_size

    @property
    def capabilities(self) -> Capabilities:
        """Each convolution adds half a kernel on both sides."""
        reach = self.num_layers * (self.kernel_size // 2)
        detached = frozenset({"hidden"} if self.stop_gradient else ())
        return Capabilities(receptive_field=reach, exportable=True, detached_inputs=detached)

    @classmethod
    def tiny(cls) -> Mapping[str, Mapping[str, Any]]:
        """Return one whose gradient reaches the encoder, and one whose does not."""
        return {"": {}, "detached": {"stop_gradient": True}}

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the convolutions, their norms and the output layer."""
        layer = LAYER + conv1d(self.channels, self.channels, self.kernel_size)
        first = LAYER + conv1d(sizes.hidden_dim, self.channels, self.kernel_size)
        norms = layer_norm(self.channels) * self.num_layers
        return first + layer * (self.num_layers - 1) + norms + linear(self.channels, 1)

    def build(self, sizes: Sizes) -> ConvDurationPredictor:
        """Return the duration predictor."""
        from kokoro_plugins.fastspeech.duration_predictor import ConvDurationPredictor

        return ConvDurationPredictor(
            hidden_dim=sizes.hidden_dim,
            channels=self.channels,
            kernel_size=self.kernel_size,
            num_layers=self.num_layers,
            dropout=self.dropout,
            stop_gradient=self.stop_gradient,
            rounding=self.rounding,
            norm_eps=self.norm_eps,
        )
