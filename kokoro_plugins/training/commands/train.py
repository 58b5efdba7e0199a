"""The command ``train``: a spec and aligned speech → a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.checkpoints.locate import suffixes
from kokoro_core.cli.toolkit import load_with, print_error, session_of
from kokoro_plugins.training.commands.options import (
    AccumulateOption,
    BadStepOption,
    BatchFramesOption,
    CorpusSetOption,
    DeviceOption,
    FramesOption,
    LrOption,
    OptimizerOption,
    PrecisionOption,
    SeedOption,
    SetOption,
    StepsOption,
    ThreadsOption,
    WarmupOption,
    make_budget,
    prepare_device,
    read_bad_step,
    read_corpus_settings,
)
from kokoro_plugins.training.output import plain_console
from kokoro_plugins.training.resume.starting import default_out, refuse_checkpoint
from kokoro_plugins.training.settings import TrainingSettings, TrainOptions


def train(
    ctx: typer.Context,
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A spec file or a named spec.")],
    data: Annotated[Path, typer.Option(help="Where the corpus is.")],
    corpus: Annotated[str, typer.Option(help="What kind of corpus it is.")] = "folder",
    corpus_set: CorpusSetOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write; without it runs/NAME-OF-THE-SPEC.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train for this long.")] = None,
    steps: StepsOption = None,
    frames: FramesOption = None,
    batch_frames: BatchFramesOption = 2000,
    accumulate: AccumulateOption = 1,
    lr: LrOption = 1e-3,
    warmup: WarmupOption = 100,
    optimizer: OptimizerOption = "adamw",
    holdout: Annotated[
        int, typer.Option(min=0, help="How many utterances, the last ones, are not trained on.")
    ] = 10,
    on_bad_step: BadStepOption = "stop",
    save_every: Annotated[int, typer.Option(min=1, help="Steps between two saves.")] = 500,
    keep: Annotated[int, typer.Option(min=1, help="How many of the newest saves stay.")] = 2,
    keep_best: Annotated[
        int, typer.Option(min=0, help="How many with the lowest held-out loss stay besides.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest save in the folder, if any.")
    ] = False,
    allow_inexact: Annotated[
        bool, typer.Option("--inexact", help="Go on also where that cannot be exact.")
    ] = False,
    seed: SeedOption = 0,
    precision: PrecisionOption = "auto",
    settings: SetOption = None,
    threads: ThreadsOption = None,
    workers: Annotated[
        int,
        typer.Option(min=0, max=256, help="Processes that make batches ahead of the training."),
    ] = 0,
    device: DeviceOption = "auto",
    devices: Annotated[int, typer.Option(min=1, help="How many devices train together.")] = 1,
) -> None:
    """Train the model of a spec on aligned speech.

    Writes model.safetensors and losses.json, and says how the model does on what was held out.
    SIGTERM, SIGINT (Ctrl+C), SIGUSR1 and SIGHUP save the step and end with 128 and the signal's
    number; --resume goes on from there.
    """
    budget = make_budget(minutes, steps, frames)
    training = TrainingSettings(
        lr=lr,
        warmup_steps=warmup,
        optimizer=optimizer,
        precision=precision,
        device=device,
        devices=devices,
        accumulate=accumulate,
        skip_bad_steps=read_bad_step(on_bad_step),
    )
    prepare_device(device, threads)
    session = session_of(ctx)
    plugins = session.plugins
    refuse_checkpoint(spec, suffixes(plugins))
    checked = load_with(spec, settings, session)
    options = TrainOptions(
        corpus=corpus,
        data=data,
        out=default_out(checked.name) if out is None else out,
        holdout=holdout,
        batch_frames=batch_frames,
        seed=seed,
        workers=workers,
        settings=training,
        save_every=save_every,
        keep_last=keep,
        keep_best=keep_best,
        resume=resume,
        allow_inexact=allow_inexact,
        corpus_settings=read_corpus_settings(corpus_set or []),
    )
    from kokoro_plugins.training.resume.resuming import TrainingStopped
    from kokoro_plugins.training.train import run_training

    try:
        run_training(checked, options, budget, plugins, plain_console())
    except TrainingStopped as stopped:
        print_error(str(stopped))
        raise SystemExit(stopped.status) from None
