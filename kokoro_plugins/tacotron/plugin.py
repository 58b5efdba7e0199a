"""The plugin's hooks."""

from __future__ import annotations

from kokoro_plugins.tacotron.params import ConvPostnetParams
from registry import ComponentClass, hookimpl


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return Tacotron 2's postnet."""
    return (ConvPostnetParams,)
