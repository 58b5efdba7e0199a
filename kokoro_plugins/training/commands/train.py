"""The command ``train``: a spec and aligned speech → a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.checkpoints.locate import suffixes
from kokoro_core.cli.toolkit import SetOption, SpecArgument, load_with, print_error, session_of
from kokoro_plugins.training.commands.from_settings import Given, with_options_of
from kokoro_plugins.training.commands.options import (
    OptimizerOption,
    ThreadsOption,
    make_budget,
    prepare_device,
    read_bad_step,
    read_corpus_settings,
)
from kokoro_plugins.training.output import plain_console
from kokoro_plugins.training.resume.starting import default_out, refuse_checkpoint
from kokoro_plugins.training.settings import Saving, TrainingEnd, TrainingSettings, TrainOptions


@with_options_of(TrainOptions, TrainingEnd, TrainingSettings, Saving)
def train(
    ctx: typer.Context,
    spec: SpecArgument,
    *,
    given: Given,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write; without it runs/NAME-OF-THE-SPEC.")
    ] = None,
    optimizer: OptimizerOption = "adamw",
    on_bad_step: Annotated[
        str,
        typer.Option(
            metavar="stop|skip:N",
            help="What to do when the loss or a gradient is NaN or infinite: stop, or pass over up "
            "to N such steps in a row.",
        ),
    ] = "stop",
    corpus_set: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Override a setting of the corpus."),
    ] = None,
    settings: SetOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Train the model of a spec on aligned speech.

    Writes model.safetensors and losses.json, and says how the model does on what was held out.
    SIGTERM, SIGINT (Ctrl+C), SIGUSR1 and SIGHUP save the step and end with 128 and the signal's
    number; --resume goes on from there.
    """
    budget = make_budget(given.make(TrainingEnd))
    training = given.make(
        TrainingSettings, optimizer=optimizer, skip_bad_steps=read_bad_step(on_bad_step)
    )
    prepare_device(training.device, threads)
    session = session_of(ctx)
    refuse_checkpoint(spec, suffixes(session.plugins))
    checked = load_with(spec, settings, session)
    out = default_out(checked.name) if out is None else out
    options = given.make(
        TrainOptions,
        out=out,
        saving=given.make(Saving, folder=out / "steps", losses=out / "losses.jsonl"),
        settings=training,
        corpus_settings=read_corpus_settings(corpus_set or []),
    )
    from kokoro_plugins.training.resume.resuming import TrainingStopped
    from kokoro_plugins.training.train import run_training

    try:
        run_training(checked, options, budget, session.plugins, plain_console())
    except TrainingStopped as stopped:
        print_error(str(stopped))
        raise SystemExit(stopped.status) from None
