"""The plugin's hooks."""

from __future__ import annotations

from kokoro_plugins.conditioning.params import LookupParams
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the conditioners."""
    return (LookupParams,)
