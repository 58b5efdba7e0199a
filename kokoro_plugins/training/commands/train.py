"""The command ``train``: a spec and aligned speech → a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.checkpoints.locate import suffixes
from kokoro_core.cli.corpus_settings import CorpusSetOption
from kokoro_core.cli.toolkit import SetOption, print_error, session_of
from kokoro_plugins.training.commands.asked import Call, asked_for, explicit
from kokoro_plugins.training.commands.from_settings import Given, with_options_of
from kokoro_plugins.training.commands.options import (
    LoggerOption,
    ThreadsOption,
    loggers_of,
    make_budget,
    prepare_device,
)
from kokoro_plugins.training.output import plain_console
from kokoro_plugins.training.resume.starting import refuse_checkpoint
from kokoro_plugins.training.settings import Saving, TrainingEnd, TrainingSettings, TrainOptions

A_COMPONENT = "a name, or settings such as '{type: NAME, …}'"


@with_options_of(TrainOptions, TrainingEnd, TrainingSettings, Saving, without=("data",))
def train(
    ctx: typer.Context,
    *,
    given: Given,
    spec: Annotated[
        str | None,
        typer.Argument(metavar="[SPEC]", help="A spec file or a named spec; or the recipe has it."),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A recipe: what is said here, in a file; flags win."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Where the corpus is.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write; without it runs/NAME-OF-THE-SPEC.")
    ] = None,
    optimizer: Annotated[
        str | None, typer.Option(help=f"What moves the weights: {A_COMPONENT}; without it adamw.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(help=f"The course of the learning rate: {A_COMPONENT}.")
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help=f"What is trained for beside its own loss: {A_COMPONENT}.")
    ] = None,
    on_bad_step: Annotated[
        str | None,
        typer.Option(
            metavar="stop|skip:N",
            help="What to do when the loss or a gradient is NaN or infinite: stop, as without it, "
            "or pass over up to N such steps in a row.",
        ),
    ] = None,
    corpus_set: CorpusSetOption = None,
    settings: SetOption = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="CHECKPOINT", help="Begin with its weights instead of drawn ones."
        ),
    ] = None,
    fresh: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Draw the parameters whose names begin so all the same."),
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="Leave the parameters of a part as they are."),
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(metavar="PART=FACTOR", help="Multiply the learning rate of a part."),
    ] = None,
    logger: LoggerOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Train the model of a spec on aligned speech.

    Writes model.safetensors and losses.json, and says how the model does on what was held out.
    SIGTERM, SIGINT (Ctrl+C), SIGUSR1 and SIGHUP save the step and end with 128 and the signal's
    number; --resume goes on from there.
    """
    session = session_of(ctx)
    call = Call(
        recipe=recipe,
        resume=given.values["resume"],
        options=explicit(ctx, given),
        others={
            **{"spec": spec, "data": data, "out": out},
            **{"on_bad_step": on_bad_step, "threads": threads, "from": checkpoint},
        },
        components={"optimizer": optimizer, "schedule": schedule, "objective": objective},
        corpus_settings=corpus_set or [],
        spec_settings=settings or [],
        lists={"fresh": fresh or [], "freeze": freeze or [], "loggers": loggers_of(logger)},
        rates=rate or [],
    )
    asked = asked_for(call, session.plugins)
    with asked.located():
        budget = make_budget(asked.given.make(TrainingEnd))
    prepare_device(asked.given.values.get("device", "auto"), asked.recipe.threads)
    refuse_checkpoint(asked.recipe.spec or "", suffixes(session.plugins))
    checked = asked.spec()
    with asked.located():
        options = asked.options(checked)
    from kokoro_plugins.training.resume.resuming import TrainingStopped
    from kokoro_plugins.training.train import run_training

    try:
        with asked.located():
            run_training(checked, options, budget, session.plugins, plain_console())
    except TrainingStopped as stopped:
        print_error(str(stopped))
        raise SystemExit(stopped.status) from None
