"""The command ``train-vocoder``: a spec and recordings → the file of a vocoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core import ModelSpec
from kokoro_core.cli.corpus_settings import CorpusSetOption
from kokoro_core.cli.from_settings import Given, with_options_of
from kokoro_core.cli.toolkit import SetOption, session_of
from kokoro_plugins.training.commands.asked import Asked, Call, explicit, path_of
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
from kokoro_plugins.training.commands.recipe_file import check_with_spec
from kokoro_plugins.training.commands.recipe_model import VOCODERS, VocoderRecipe
from kokoro_plugins.training.settings import Saving, TrainingEnd, TrainingSettings
from kokoro_plugins.training.vocoder.settings import AVERAGE, LR, VocoderOptions, usual_settings


@with_options_of(
    *(VocoderOptions, TrainingEnd, TrainingSettings, Saving),
    without=("data",),
    lr=LR,
    average=AVERAGE,
)
def train_vocoder(
    ctx: typer.Context,
    *,
    given: Given,
    spec: SpecArgument = None,
    recipe: RecipeOption = None,
    data: DataOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder to write; without it runs/NAME-OF-THE-SPEC-vocoder."),
    ] = None,
    mels_of: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="Read the mels that this model makes at the true durations, not the recordings'.",
        ),
    ] = None,
    optimizer: OptimizerText = None,
    schedule: ScheduleText = None,
    objective: ObjectiveText = None,
    on_bad_step: BadStepOption = None,
    corpus_set: CorpusSetOption = None,
    settings: SetOption = None,
    checkpoint: FromOption = None,
    freeze: FreezeOption = None,
    rate: RateOption = None,
    logger: LoggerOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Train the vocoder of a spec on recordings.

    Writes vocoder.safetensors and losses.json, and says how close the vocoder comes to recordings
    that were held out. Signals and --resume work as those of `train`.
    """
    session = session_of(ctx)
    call = Call(
        recipe=recipe,
        resume=given.values["resume"],
        options=explicit(ctx, given),
        others={
            **{"spec": spec, "data": data, "out": out},
            **{"on_bad_step": on_bad_step, "threads": threads, "mels_of": mels_of},
            "from": checkpoint,
        },
        components={"optimizer": optimizer, "schedule": schedule, "objective": objective},
        corpus_settings=corpus_set or [],
        spec_settings=settings or [],
        lists={"freeze": freeze or [], "loggers": loggers_of(logger)},
        rates=rate or [],
        kind=VOCODERS,
        suffix="-vocoder",
    )
    carry_out(call, session.plugins, vocoder_options, _training)


def _training() -> Training[VocoderOptions]:
    from kokoro_plugins.training.vocoder.train import run_vocoder_training

    return run_vocoder_training


def vocoder_options(asked: Asked, spec: ModelSpec) -> VocoderOptions:
    """Return what the training of a spec's vocoder does.

    Raises:
        ValueError: No data is named, or an option is out of range.
        SpecError: The recipe has what a vocoder has no use for.
    """
    recipe = asked.recipe
    assert isinstance(recipe, VocoderRecipe)
    shared = asked.shared(spec)
    training = usual_settings(**asked.given.values_of(TrainingSettings), **asked.training())
    if recipe.optimizer or recipe.schedule:
        from kokoro_plugins.training.loop.stages import stages_of

        check_with_spec(asked.document, recipe, (), stages_of(training, spec.sizes))
    return asked.given.make(
        VocoderOptions,
        settings=training,
        weights=recipe.loss,
        mels_of=path_of(recipe.mels_of),
        **shared,
    )
