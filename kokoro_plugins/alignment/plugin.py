"""The plugin's hooks."""

from __future__ import annotations

from kokoro_plugins.alignment.params import ForwardSumParams, PriorSearchParams
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the aligners."""
    return ForwardSumParams, PriorSearchParams
