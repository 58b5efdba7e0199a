"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from kokoro_plugins.vits.flow_params import CouplingFlowParams
from kokoro_plugins.vits.params import (
    StochasticDurationPredictorParams,
    VitsEncoderParams,
    VitsImporterParams,
)
from registry import ComponentClass, hookimpl

KOKORO_API = 2
SPECS = ("flow", "flow-small")


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return encoder, duration predictor, decoder and importer."""
    return (
        VitsEncoderParams,
        StochasticDurationPredictorParams,
        CouplingFlowParams,
        VitsImporterParams,
    )


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the named specs."""
    folder = files("kokoro_plugins.vits") / "specs"
    return {name: folder / f"{name}.yaml" for name in SPECS}
