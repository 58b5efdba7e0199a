"""The plugin's hooks."""

from __future__ import annotations

from kokoro_plugins.fastspeech.params import ConvDurationPredictorParams
from registry import ComponentClass, hookimpl


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return FastSpeech's duration predictor."""
    return (ConvDurationPredictorParams,)
