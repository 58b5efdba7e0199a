"""The command ``demo``: from nothing to speech."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kokoro_core.cli.checking import load_with
from kokoro_core.cli.session import session_of
from kokoro_plugins.training.options import (
    BatchFramesOption,
    DeviceOption,
    LrOption,
    PrecisionOption,
    SeedOption,
    SetOption,
    StepsOption,
    ThreadsOption,
    WarmupOption,
    make_budget,
    prepare_device,
)
from kokoro_plugins.training.settings import DemoOptions, TrainingSettings

MINUTES = 5.0


def demo(
    ctx: typer.Context,
    minutes: Annotated[
        float | None, typer.Option(help="Train for this long; without it 5 minutes.")
    ] = None,
    steps: StepsOption = None,
    spec: Annotated[
        str, typer.Option(metavar="SPEC", help="A spec file or a named spec.")
    ] = "voice",
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("kokoro-demo"),
    sentences: Annotated[int, typer.Option(min=3, help="Sentences of the corpus.")] = 315,
    holdout: Annotated[int, typer.Option(min=2, help="How many are not trained on.")] = 15,
    batch_frames: BatchFramesOption = 800,
    lr: LrOption = 1e-3,
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
    budget = make_budget(MINUTES if minutes is None and steps is None else minutes, steps)
    prepare_device(device, threads)
    session = session_of(ctx)
    plugins = session.plugins
    checked = load_with(spec, settings, session)
    options = DemoOptions(
        out=out,
        sentences=sentences,
        holdout=holdout,
        batch_frames=batch_frames,
        seed=seed,
        settings=TrainingSettings(lr=lr, warmup_steps=warmup, precision=precision, device=device),
    )
    from kokoro_plugins.training.demo import run_demo

    console = Console()
    run_demo(checked, options, budget, plugins, console).print(console, out)
