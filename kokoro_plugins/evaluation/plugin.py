"""The hook of the evaluation plugin."""

from __future__ import annotations

from registry import Command, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the command `evaluate`."""
    return [
        Command(
            name="evaluate",
            help="Measure how well a voice is understood and how it sounds.",
            target="kokoro_plugins.evaluation.command:evaluate",
        )
    ]
