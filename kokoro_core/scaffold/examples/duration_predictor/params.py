"""The settings of the component: what a spec may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import Size, Sizes, conv1d, layer_norm, linear
from kokoro_core.slots import DurationPredictorParams

if TYPE_CHECKING:
    from kokoro_core.contracts import DurationPredictor


class ExampleParams(DurationPredictorParams):
    """A phoneme and its two neighbours say how long it lasts.

    Attributes:
        channels: Width between the convolution and the result.
        dropout: Before the result, in training.
    """

    type: Literal["example"] = "example"
    channels: int = Field(default=128, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @property
    def capabilities(self) -> Capabilities:
        """It sees one neighbour at each side."""
        return Capabilities(receptive_field=1)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the convolution, the norm and the way out."""
        head = layer_norm(self.channels) + linear(self.channels, 1)
        return conv1d(sizes.hidden_dim, self.channels, 3) + head

    def build(self, sizes: Sizes) -> DurationPredictor:
        """Return the duration predictor."""
        from kokoro_core.scaffold.examples.duration_predictor.duration_predictor import (
            ExampleDurationPredictor,
        )

        return ExampleDurationPredictor(
            hidden_dim=sizes.hidden_dim, channels=self.channels, dropout=self.dropout
        )
