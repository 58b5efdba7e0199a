"""What the plugin brings. It imports no torch, so that checking a spec stays fast."""

from __future__ import annotations

from kokoro_core import hookimpl
from kokoro_core.params.component import ComponentParams

from acme_duration_predictor.params import AcmeParams

KOKORO_API = 1


@hookimpl
def kokoro_components() -> list[type[ComponentParams]]:
    """Return the params classes."""
    return [AcmeParams]
