"""The settings of the component: it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from kokoro_core.slots import CheckpointerParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Checkpointer


class ExampleParams(CheckpointerParams):
    """A zip archive: a file a tensor, and one that describes them."""

    suffixes: ClassVar[tuple[str, ...]] = (".example",)

    type: Literal["example"] = "example"

    def build(self) -> Checkpointer:
        """Return the checkpointer."""
        from kokoro_core.scaffold.examples.checkpointer.checkpointer import ExampleCheckpointer

        return ExampleCheckpointer()
