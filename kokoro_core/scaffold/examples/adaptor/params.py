"""The settings of the component: what a spec may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.features import Feature
from kokoro_core.params.sizes import Size, Sizes, conv1d, linear
from kokoro_core.slots import AdaptorParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Adaptor


class ExampleParams(AdaptorParams):
    """Predicts one number a vector, such as pitch, and adds what it means (Ren et al., 2021).

    Attributes:
        channels: Width between the convolution and the prediction.
    """

    type: Literal["example"] = "example"
    channels: int = Field(default=128, ge=1)

    @property
    def target(self) -> Feature:
        """One number a vector: the feature with the name under which a spec lists it."""
        return Feature()

    @property
    def losses(self) -> Mapping[str, float | None]:
        """The weight of the prediction's mean squared error."""
        return {"prediction": 1.0}

    @property
    def capabilities(self) -> Capabilities:
        """It sees one neighbour at each side."""
        return Capabilities(receptive_field=1)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the predictor and of the embedding."""
        predictor = conv1d(sizes.hidden_dim, self.channels, 3) + linear(self.channels, 1)
        return predictor + linear(1, sizes.hidden_dim)

    def build(self, sizes: Sizes) -> Adaptor:
        """Return the adaptor."""
        from kokoro_core.scaffold.examples.adaptor.adaptor import ExampleAdaptor

        return ExampleAdaptor(hidden_dim=sizes.hidden_dim, channels=self.channels)
