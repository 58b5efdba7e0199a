"""The settings of the component: what a spec may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kokoro_core.params.sizes import Size, Sizes
from kokoro_core.slots import RegulatorParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Regulator


class ExampleParams(RegulatorParams):
    """Repeats each phoneme for as many frames as it lasts."""

    type: Literal["example"] = "example"

    def size(self, sizes: Sizes) -> Size:
        """Return nothing: it has no parameters."""
        return Size()

    def build(self, sizes: Sizes) -> Regulator:
        """Return the regulator."""
        from kokoro_core.scaffold.examples.regulator.regulator import ExampleRegulator

        return ExampleRegulator()
