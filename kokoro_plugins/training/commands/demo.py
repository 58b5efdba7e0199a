"""The command ``demo``: from nothing to speech."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import typer

from kokoro_core.cli.from_settings import Given, with_options_of
from kokoro_core.cli.toolkit import SetOption, load_with, session_of
from kokoro_plugins.training.commands.options import (
    OptimizerOption,
    ThreadsOption,
    make_budget,
    prepare_device,
)
from kokoro_plugins.training.output import plain_console
from kokoro_plugins.training.settings import (
    ONE_PROCESS,
    DemoOptions,
    Promise,
    TrainingEnd,
    TrainingSettings,
)

FRAMES = 1_200_000
"""Frames after which `quick` has kept the promise with every seed that was tried."""


@dataclass(frozen=True)
class DemoEnd(TrainingEnd):
    """When the demo's training ends."""

    minutes: Annotated[
        float | None,
        typer.Option(help="Train for this long; without it until what is promised is reached."),
    ] = None


@with_options_of(DemoOptions, DemoEnd, TrainingSettings, without=ONE_PROCESS, lr=3e-3)
def demo(
    ctx: typer.Context,
    *,
    given: Given,
    spec: Annotated[
        str, typer.Option(metavar="SPEC", help="A spec file or a named spec.")
    ] = "quick",
    optimizer: OptimizerOption = "muon",
    settings: SetOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Make a corpus, train a model on it, save it, load it and let it speak.

    Needs no network. Writes wavs, pictures and a report.
    """
    end = given.make(DemoEnd)
    budget = make_budget(DemoEnd(frames=FRAMES) if end == DemoEnd() else end)
    training = given.make(TrainingSettings, optimizer=optimizer)
    prepare_device(training.device, threads)
    session = session_of(ctx)
    checked = load_with(spec, settings, session)
    options = given.make(DemoOptions, settings=training)
    if spec == "quick" and not settings and (options.sentences, options.holdout) == (315, 15):
        options = replace(options, promise=Promise())
    from kokoro_plugins.training.demo.demo import run_demo
    from kokoro_plugins.training.loop.sentences import as_sentences

    console = plain_console()
    with as_sentences():
        report = run_demo(checked, options, budget, session.plugins, console)
    report.print(console, options.out)
