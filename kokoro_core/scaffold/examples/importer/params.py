"""The settings of the component: it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from kokoro_core.slots import ImporterParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Importer


class ExampleParams(ImporterParams):
    """Reads checkpoints whose ``config.json`` has this ``model_type``."""

    model_types: ClassVar[tuple[str, ...]] = ("example",)

    type: Literal["example"] = "example"

    def build(self) -> Importer:
        """Return the importer."""
        from kokoro_core.scaffold.examples.importer.importer import ExampleImporter

        return ExampleImporter()
