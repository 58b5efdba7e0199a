"""The hooks of the speech plugin."""

from __future__ import annotations

from kokoro_plugins.speech.params import (
    EspeakCorpusParams,
    EspeakFrontendParams,
    FolderCorpusParams,
    GriffinLimParams,
)
from registry import Command, hookimpl


@hookimpl
def kokoro_components() -> list[type]:
    """Return the frontend, the vocoder and the corpora."""
    return [EspeakFrontendParams, GriffinLimParams, FolderCorpusParams, EspeakCorpusParams]


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the command that makes a corpus."""
    return [
        Command(
            name="corpus",
            help="Make a folder of aligned speech with espeak-ng, to train on.",
            target="kokoro_plugins.speech.commands:corpus",
        )
    ]
