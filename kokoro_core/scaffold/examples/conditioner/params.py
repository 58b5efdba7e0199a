"""The settings of the component: what a spec may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.features import Feature
from kokoro_core.params.sizes import Size, Sizes, embedding
from kokoro_core.slots import ConditionerParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Conditioner


class ExampleParams(ConditionerParams):
    """A learned vector for each speaker that the spec names.

    Attributes:
        dim: Its width.
    """

    type: Literal["example"] = "example"
    dim: int = Field(default=64, ge=1)

    @property
    def features(self) -> Mapping[str, Feature]:
        """Who speaks: an index, as many as the spec has speakers."""
        return {"speaker": Feature(per="row", kind="index")}

    def width(self, sizes: Sizes) -> int:
        """Return the width of the vectors."""
        return self.dim

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the table."""
        return embedding(max(1, sizes.num_speakers), self.dim)

    def build(self, sizes: Sizes) -> Conditioner:
        """Return the conditioner."""
        from kokoro_core.scaffold.examples.conditioner.conditioner import ExampleConditioner

        return ExampleConditioner(num=max(1, sizes.num_speakers), dim=self.dim)
