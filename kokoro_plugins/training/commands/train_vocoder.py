"""The command ``train-vocoder``: a spec and recordings → the file of a vocoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core import ModelSpec
from kokoro_core.checkpoints.locate import suffixes
from kokoro_core.cli.corpus_settings import CorpusSetOption
from kokoro_core.cli.toolkit import SetOption, print_error, session_of
from kokoro_plugins.training.commands.asked import Asked, Call, asked_for, explicit, path_of
from kokoro_plugins.training.commands.from_settings import Given, with_options_of
from kokoro_plugins.training.commands.options import (
    LoggerOption,
    ThreadsOption,
    loggers_of,
    make_budget,
    prepare_device,
)
from kokoro_plugins.training.commands.recipe_file import check_with_spec
from kokoro_plugins.training.commands.recipe_model import VOCODERS, VocoderRecipe
from kokoro_plugins.training.commands.train import A_COMPONENT
from kokoro_plugins.training.output import plain_console
from kokoro_plugins.training.resume.starting import refuse_checkpoint
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
    asked = asked_for(call, session.plugins)
    with asked.located():
        budget = make_budget(asked.given.make(TrainingEnd))
    prepare_device(asked.given.values.get("device", "auto"), asked.recipe.threads)
    refuse_checkpoint(asked.recipe.spec or "", suffixes(session.plugins))
    checked = asked.spec()
    with asked.located():
        options = vocoder_options(asked, checked)
    from kokoro_plugins.training.resume.resuming import TrainingStopped
    from kokoro_plugins.training.vocoder.train import run_vocoder_training

    try:
        with asked.located():
            run_vocoder_training(checked, options, budget, session.plugins, plain_console())
    except TrainingStopped as stopped:
        print_error(str(stopped))
        raise SystemExit(stopped.status) from None


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
