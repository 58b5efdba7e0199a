"""The hooks of the training plugin."""

from __future__ import annotations

from kokoro_core.params.component import ComponentParams
from kokoro_plugins.training.updates.params import (
    AdamWParams,
    ConstantParams,
    ExponentialParams,
    MuonParams,
    NoamParams,
    ScheduleFreeParams,
    SoapParams,
    WarmupCosineParams,
)
from registry import Command, hookimpl

KOKORO_API = 2


@hookimpl
def kokoro_components() -> list[type[ComponentParams]]:
    """Return the optimizers and the schedules."""
    return [
        AdamWParams,
        MuonParams,
        SoapParams,
        ScheduleFreeParams,
        WarmupCosineParams,
        NoamParams,
        ExponentialParams,
        ConstantParams,
    ]


@hookimpl
def kokoro_commands() -> list[Command]:
    """Return the commands `train`, `train-vocoder`, `compare` and `demo`."""
    return [
        Command(
            name="train",
            help="Train the model of a spec on aligned speech.",
            target="kokoro_plugins.training.commands.train:train",
        ),
        Command(
            name="train-vocoder",
            help="Train the vocoder of a spec on recordings.",
            target="kokoro_plugins.training.commands.train_vocoder:train_vocoder",
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
