"""The plugin's hook."""

from __future__ import annotations

from kokoro_plugins.hifigan.params import HifiGanParams
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the vocoder."""
    return (HifiGanParams,)
