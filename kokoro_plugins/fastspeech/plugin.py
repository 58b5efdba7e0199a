"""What the plugin brings."""

from __future__ import annotations

from kokoro_plugins.fastspeech.params import ConvDurationPredictorParams
from registry import hookimpl
from registry.slot import ComponentClass


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return FastSpeech's duration predictor."""
    return (ConvDurationPredictorParams,)
