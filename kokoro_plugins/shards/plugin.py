"""The plugin's hooks."""

from __future__ import annotations

from kokoro_plugins.shards.params import ShardCorpusParams
from registry import Command, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> list[type]:
    """Return the corpus."""
    return [ShardCorpusParams]


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the commands that write shards and read them through."""
    return [
        Command(
            name="shards",
            help="Write a corpus as tar files with an index, for more than fits into memory.",
            target="kokoro_plugins.shards.commands:shards",
        ),
        Command(
            name="check-shards",
            help="Read shards through and compare them with their index.",
            target="kokoro_plugins.shards.commands:check_shards",
        ),
    ]
