"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from kokoro_plugins.speecht5.params import (
    SpeechT5DecoderParams,
    SpeechT5EncoderParams,
    SpeechT5ImporterParams,
)
from registry import ComponentClass, hookimpl

KOKORO_API = 2
SPECS = ("speecht5", "speecht5-small")


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return encoder, decoder and importer."""
    return SpeechT5EncoderParams, SpeechT5DecoderParams, SpeechT5ImporterParams


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the named specs."""
    folder = files("kokoro_plugins.speecht5") / "specs"
    return {name: folder / f"{name}.yaml" for name in SPECS}
