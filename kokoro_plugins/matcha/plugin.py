"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from kokoro_plugins.matcha.params import FlowMatchingParams, MatchaEncoderParams
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the encoder and the decoder."""
    return MatchaEncoderParams, FlowMatchingParams


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the named specs."""
    folder = files("kokoro_plugins.matcha") / "specs"
    return {name: folder / f"{name}.yaml" for name in ("matcha", "matcha-small")}
