"""The settings of the component: what a spec may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from kokoro_core.params.capabilities import Capabilities
from kokoro_core.params.sizes import Size, Sizes, linear
from kokoro_core.slots import AlignerParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Aligner


class ExampleParams(AlignerParams):
    """Searches the best path from phoneme to phoneme, each with a typical frame (Kim et al., 2020).

    What it is trained by is the distance of each frame to that of its phoneme.
    """

    type: Literal["example"] = "example"

    @property
    def losses(self) -> Mapping[str, float | None]:
        """The weight of the distance."""
        return {"distance": 1.0}

    @property
    def capabilities(self) -> Capabilities:
        """The search is in no graph."""
        return Capabilities(compilable=False)

    def size(self, sizes: Sizes) -> Size:
        """Return the size of the layer that makes the typical frames."""
        return linear(sizes.hidden_dim, sizes.mel_dim)

    def build(self, sizes: Sizes) -> Aligner:
        """Return the aligner."""
        from kokoro_core.scaffold.examples.aligner.aligner import ExampleAligner

        return ExampleAligner(hidden_dim=sizes.hidden_dim, mel_dim=sizes.mel_dim)
