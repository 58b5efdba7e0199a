"""The hooks of the bench plugin."""

from __future__ import annotations

from registry import Command, hookimpl


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the command `bench`."""
    return [
        Command(
            name="bench",
            help="Measure speed and memory beside other implementations.",
            target="kokoro_plugins.bench.command:bench",
        )
    ]
