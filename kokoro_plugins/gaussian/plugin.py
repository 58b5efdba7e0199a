"""What the plugin brings."""

from __future__ import annotations

from kokoro_plugins.gaussian.params import GaussianRegulatorParams
from registry import hookimpl
from registry.slot import ComponentClass


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the Gaussian regulator."""
    return (GaussianRegulatorParams,)
