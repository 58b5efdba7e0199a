"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from kokoro_plugins.non_attentive_tacotron.params import (
    LearnedRangesParams,
    LstmDecoderParams,
    RecurrentDurationPredictorParams,
    TacotronEncoderParams,
)
from registry import ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the encoder, both predictors and the decoder."""
    return (
        TacotronEncoderParams,
        RecurrentDurationPredictorParams,
        LearnedRangesParams,
        LstmDecoderParams,
    )


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the named specs."""
    folder = files("kokoro_plugins.non_attentive_tacotron") / "specs"
    names = ("non-attentive-tacotron", "non-attentive-tacotron-small")
    return {name: folder / f"{name}.yaml" for name in names}
