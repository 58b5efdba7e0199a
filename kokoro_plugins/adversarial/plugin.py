"""The plugin's hooks."""

from __future__ import annotations

from kokoro_plugins.adversarial.params import (
    AdversarialParams,
    MultiPeriodParams,
    MultiResolutionParams,
    PatchParams,
)
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the objective and its discriminators."""
    return AdversarialParams, PatchParams, MultiPeriodParams, MultiResolutionParams
