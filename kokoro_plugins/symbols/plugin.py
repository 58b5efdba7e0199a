"""The plugin's hook."""

from __future__ import annotations

from kokoro_plugins.symbols.params import SymbolsFrontendParams
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the frontend."""
    return (SymbolsFrontendParams,)
