"""The hooks of the plugin `safetensors`."""

from __future__ import annotations

from kokoro_plugins.safetensors.params import SafetensorsParams
from registry import hookimpl


@hookimpl
def kokoro_components() -> list[type[SafetensorsParams]]:
    """Return the checkpointer."""
    return [SafetensorsParams]
