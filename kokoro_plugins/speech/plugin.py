"""The hooks of the speech plugin."""

from __future__ import annotations

from kokoro_plugins.speech.params import (
    EspeakCorpusParams,
    EspeakFrontendParams,
    FolderCorpusParams,
    GriffinLimParams,
    LexiconFrontendParams,
)
from registry import Command, hookimpl


@hookimpl
def kokoro_components() -> list[type]:
    """Return the frontends, the vocoder and the corpora."""
    return [
        EspeakFrontendParams,
        LexiconFrontendParams,
        GriffinLimParams,
        FolderCorpusParams,
        EspeakCorpusParams,
    ]


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the commands that make a corpus, and the one that shows what a text becomes."""
    return [
        Command(
            name="prepare",
            help="Make a folder that `train` reads of recordings and texts.",
            target="kokoro_plugins.speech.preparing.command:prepare",
        ),
        Command(
            name="corpus",
            help="Make a folder of aligned speech with espeak-ng, to train on.",
            target="kokoro_plugins.speech.commands:corpus",
        ),
        Command(
            name="phonemize",
            help="Show what a frontend makes of a text, stage by stage.",
            target="kokoro_plugins.speech.text.command:phonemize",
        ),
    ]
