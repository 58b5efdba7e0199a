"""The settings of the checkpointer `safetensors`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from kokoro_core.slots import CheckpointerParams

if TYPE_CHECKING:
    from kokoro_plugins.safetensors.checkpointer import SafetensorsCheckpointer


class SafetensorsParams(CheckpointerParams):
    """One safetensors file, its metadata inside (https://github.com/huggingface/safetensors)."""

    suffixes: ClassVar[tuple[str, ...]] = (".safetensors", ".safetensors.index.json")

    type: Literal["safetensors"] = "safetensors"

    def build(self) -> SafetensorsCheckpointer:
        """Return the checkpointer."""
        from kokoro_plugins.safetensors.checkpointer import SafetensorsCheckpointer

        return SafetensorsCheckpointer()
