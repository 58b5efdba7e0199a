"""The plugin's hooks."""

from __future__ import annotations

from kokoro_plugins.normalizers.params import EnglishParams, NoneParams, WetextParams
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the normalizers."""
    return (NoneParams, EnglishParams, WetextParams)
