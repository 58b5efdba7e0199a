"""The settings of the component: what a spec may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kokoro_core.params.sizes import Size
from kokoro_core.slots import PositionalEncodingParams

if TYPE_CHECKING:
    from kokoro_core.contracts import PositionalEncoding


class ExampleParams(PositionalEncodingParams):
    """Sinusoids for any number of positions, with a learned scale (Li et al., 2019)."""

    type: Literal["example"] = "example"

    def size(self, *, hidden_dim: int, num_heads: int) -> Size:
        """Return the size of the scale."""
        return Size(parameters=1)

    def build(self, *, hidden_dim: int, num_heads: int) -> PositionalEncoding:
        """Return the positional encoding."""
        from kokoro_core.scaffold.examples.positional_encoding.positional_encoding import (
            ExamplePositionalEncoding,
        )

        return ExamplePositionalEncoding()
