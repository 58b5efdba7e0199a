"""The hooks of the plugin `export`."""

from __future__ import annotations

from registry import Command, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the command `export`."""
    return [
        Command(
            name="export",
            help="Write a trained model as a file of another runtime, and compare the two.",
            target="kokoro_plugins.export.command:export",
        )
    ]
