"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from kokoro_plugins.hibari.params import HibariCorpusParams, HibariFrontendParams
from registry import Command, ComponentClass, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> tuple[ComponentClass, ...]:
    """Return the frontend and the corpus."""
    return (HibariFrontendParams, HibariCorpusParams)


@hookimpl
def kokoro_specs() -> Mapping[str, Traversable]:
    """Return the named spec."""
    return {"heart": files("kokoro_plugins.hibari") / "specs" / "heart.yaml"}


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the command that makes a corpus."""
    return [
        Command(
            name="hibari-corpus",
            help="Make a folder of natural, aligned speech with hibari-tts, to train on.",
            target="kokoro_plugins.hibari.commands:hibari_corpus",
        )
    ]
