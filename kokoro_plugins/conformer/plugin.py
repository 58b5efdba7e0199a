"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from kokoro_plugins.conformer.params import (
    ConformerEncoderParams,
    FastSpeech2ConformerImporterParams,
    ParallelConformerParams,
)
from registry import ComponentClass, hookimpl

KOKORO_API = 2
SPECS = ("fastspeech2-conformer", "fastspeech2-conformer-small")


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return encoder, decoder and importer."""
    return ConformerEncoderParams, ParallelConformerParams, FastSpeech2ConformerImporterParams


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the named specs."""
    folder = files("kokoro_plugins.conformer") / "specs"
    return {name: folder / f"{name}.yaml" for name in SPECS}
