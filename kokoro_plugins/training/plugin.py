"""The hooks of the training plugin."""

from __future__ import annotations

from registry import Command, hookimpl


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the commands `train`, `compare` and `demo`."""
    return [
        Command(
            name="train",
            help="Train the model of a spec on aligned speech.",
            target="kokoro_plugins.training.commands.train:train",
        ),
        Command(
            name="compare",
            help="Train several specs with the same budget and set them side by side.",
            target="kokoro_plugins.training.commands.compare:compare",
        ),
        Command(
            name="demo",
            help="Make a corpus, train a model on it, save it, load it and let it speak.",
            target="kokoro_plugins.training.commands.demo:demo",
        ),
    ]
