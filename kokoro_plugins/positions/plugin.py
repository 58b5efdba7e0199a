"""The plugin's hooks."""

from __future__ import annotations

from kokoro_plugins.positions.params import (
    AlibiParams,
    LearnedParams,
    NoPositionsParams,
    RelativeKeysParams,
    RotaryParams,
)
from registry import ComponentClass, hookimpl


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the positional encodings."""
    return (LearnedParams, RotaryParams, AlibiParams, NoPositionsParams, RelativeKeysParams)
