"""The hooks of the plugin `profiler`."""

from __future__ import annotations

from kokoro_plugins.profiler.params import GpuProfilerParams
from registry import Command, hookimpl


@hookimpl
def kokoro_components() -> list[type[GpuProfilerParams]]:
    """Return the profiler."""
    return [GpuProfilerParams]


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the command `profile`."""
    return [
        Command(
            name="profile",
            help="Show where a model's time and memory go, in training and in generation.",
            target="kokoro_plugins.profiler.commands:profile",
        )
    ]
