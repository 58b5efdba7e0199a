"""What the plugin brings. It imports no torch, so that checking a spec stays fast."""

from __future__ import annotations

from kokoro_core import hookimpl
from kokoro_core.params.component import ComponentParams
from kokoro_core.scaffold.examples.encoder.params import ExampleParams

KOKORO_API = 2


@hookimpl
def kokoro_components() -> list[type[ComponentParams]]:
    """Return the params classes."""
    return [ExampleParams]
