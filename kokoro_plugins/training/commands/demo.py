"""The command ``demo``: from nothing to speech."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.toolkit import load_with, session_of
from kokoro_plugins.training.commands.options import (
    BatchFramesOption,
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
)
from kokoro_plugins.training.output import plain_console
from kokoro_plugins.training.settings import DemoOptions, Promise, TrainingSettings

FRAMES = 1_200_000
"""Frames after which `quick` has kept the promise with every seed that was tried."""


def demo(
    ctx: typer.Context,
    minutes: Annotated[
        float | None,
        typer.Option(help="Train for this long; without it until what is promised is reached."),
    ] = None,
    steps: StepsOption = None,
    frames: FramesOption = None,
    spec: Annotated[
        str, typer.Option(metavar="SPEC", help="A spec file or a named spec.")
    ] = "quick",
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("kokoro-demo"),
    sentences: Annotated[int, typer.Option(min=3, help="Sentences of the corpus.")] = 315,
    holdout: Annotated[int, typer.Option(min=2, help="How many are not trained on.")] = 15,
    batch_frames: BatchFramesOption = 800,
    lr: LrOption = 3e-3,
    optimizer: OptimizerOption = "muon",
    warmup: WarmupOption = 100,
    seed: SeedOption = 0,
    precision: PrecisionOption = "auto",
    settings: SetOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Make a corpus, train a model on it, save it, load it and let it speak.

    Needs no network. Writes wavs, pictures and a report.
    """
    ends = (minutes, steps, frames)
    budget = make_budget(
        *(ends if any(each is not None for each in ends) else (None, None, FRAMES))
    )
    prepare_device(device, threads)
    session = session_of(ctx)
    plugins = session.plugins
    checked = load_with(spec, settings, session)
    is_as_promised = spec == "quick" and not settings and sentences == 315 and holdout == 15
    options = DemoOptions(
        out=out,
        sentences=sentences,
        holdout=holdout,
        batch_frames=batch_frames,
        seed=seed,
        promise=Promise() if is_as_promised else None,
        settings=TrainingSettings(
            lr=lr, warmup_steps=warmup, optimizer=optimizer, precision=precision, device=device
        ),
    )
    from kokoro_plugins.training.demo.demo import run_demo
    from kokoro_plugins.training.loop.sentences import as_sentences

    console = plain_console()
    with as_sentences():
        report = run_demo(checked, options, budget, plugins, console)
    report.print(console, out)
