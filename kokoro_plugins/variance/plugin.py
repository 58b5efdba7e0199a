"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from kokoro_plugins.variance.params import VarianceParams
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the variance adaptor."""
    return (VarianceParams,)


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the named spec."""
    name = "fastspeech2-small"
    return {name: files("kokoro_plugins.variance") / "specs" / f"{name}.yaml"}
