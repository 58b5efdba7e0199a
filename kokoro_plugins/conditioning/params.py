"""Settings of the conditioners; this file imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.params.features import Feature
from kokoro_core.params.sizes import Size, Sizes, embedding
from kokoro_core.slots import ConditionerParams

if TYPE_CHECKING:
    from kokoro_plugins.conditioning.lookup import Lookup


class LookupParams(ConditionerParams):
    """A learned vector for each speaker, language or other index.

    Attributes:
        feature: Whose index is looked up.
        dim: Width of the vectors.
        num: How many there are; null for as many as the spec names speakers or languages.
    """

    type: Literal["lookup"] = "lookup"
    feature: str = Field(default="speaker", min_length=1)
    dim: int = Field(default=64, ge=1)
    num: int | None = Field(default=None, ge=1)

    @property
    def features(self) -> Mapping[str, Feature]:
        """The index of each row."""
        return {self.feature: Feature(per="row", kind="index", width=self.num)}

    def count(self, sizes: Sizes) -> int:
        """Return how many vectors there are, at least one, so that it can be counted and built."""
        named = {"speaker": sizes.num_speakers, "language": sizes.num_languages}
        return self.num or named.get(self.feature, 0) or 1

    def width(self, sizes: Sizes) -> int:
        """Return the width of the vectors."""
        return self.dim

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the table."""
        return embedding(self.count(sizes), self.dim)

    def build(self, sizes: Sizes) -> Lookup:
        """Return the conditioner."""
        from kokoro_plugins.conditioning.lookup import Lookup

        return Lookup(feature=self.feature, num=self.count(sizes), dim=self.dim)
