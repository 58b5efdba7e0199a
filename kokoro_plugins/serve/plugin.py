"""The hooks of the serve plugin."""

from __future__ import annotations

from registry import Command, hookimpl


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the command `serve`."""
    return [
        Command(
            name="serve",
            help="Speak over HTTP as OpenAI's clients ask for it, and on a page.",
            target="kokoro_plugins.serve.command:serve",
        )
    ]
