"""The plugin's hook."""

from __future__ import annotations

from kokoro_plugins.vocos.params import VocosParams
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the vocoder."""
    return (VocosParams,)
