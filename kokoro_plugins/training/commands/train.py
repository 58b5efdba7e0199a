"""The command ``train``: a spec and aligned speech → a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.corpus_settings import CorpusSetOption
from kokoro_core.cli.from_settings import Given, with_options_of
from kokoro_core.cli.toolkit import SetOption, session_of
from kokoro_plugins.training.commands.asked import Asked, Call, explicit
from kokoro_plugins.training.commands.carrying_out import Training, carry_out
from kokoro_plugins.training.commands.options import (
    BadStepOption,
    DataOption,
    FreezeOption,
    FromOption,
    LoggerOption,
    ObjectiveText,
    OptimizerText,
    RateOption,
    RecipeOption,
    ScheduleText,
    SpecArgument,
    ThreadsOption,
    loggers_of,
)
from kokoro_plugins.training.settings import Saving, TrainingEnd, TrainingSettings, TrainOptions


@with_options_of(TrainOptions, TrainingEnd, TrainingSettings, Saving, without=("data",))
def train(
    ctx: typer.Context,
    *,
    given: Given,
    spec: SpecArgument = None,
    recipe: RecipeOption = None,
    data: DataOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write; without it runs/NAME-OF-THE-SPEC.")
    ] = None,
    optimizer: OptimizerText = None,
    schedule: ScheduleText = None,
    objective: ObjectiveText = None,
    on_bad_step: BadStepOption = None,
    corpus_set: CorpusSetOption = None,
    settings: SetOption = None,
    checkpoint: FromOption = None,
    fresh: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Draw the parameters whose names begin so all the same."),
    ] = None,
    freeze: FreezeOption = None,
    rate: RateOption = None,
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
    carry_out(call, session.plugins, Asked.options, _training)


def _training() -> Training[TrainOptions]:
    from kokoro_plugins.training.train import run_training

    return run_training
