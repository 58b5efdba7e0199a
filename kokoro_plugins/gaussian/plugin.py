"""The plugin's hooks."""

from __future__ import annotations

from kokoro_plugins.gaussian.params import GaussianRegulatorParams
from registry import ComponentClass, hookimpl


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the Gaussian regulator."""
    return (GaussianRegulatorParams,)
