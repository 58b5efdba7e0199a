"""The hooks of the plugin `export`."""

from __future__ import annotations

from registry import Command, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the commands `export` and `export-speed`."""
    return [
        Command(
            name="export",
            help="Write a trained model as a file of another runtime, and compare the two.",
            target="kokoro_plugins.export.command:export",
        ),
        Command(
            name="export-speed",
            help="Measure how fast a voice speaks in each runtime it can be exported to.",
            target="kokoro_plugins.export.command:export_speed",
        ),
    ]
