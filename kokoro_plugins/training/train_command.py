"""The command ``train``: a spec and aligned speech → a checkpoint."""

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
from kokoro_plugins.training.settings import TrainingSettings, TrainOptions


def train(
    ctx: typer.Context,
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A spec file or a named spec.")],
    data: Annotated[Path, typer.Option(help="Where the corpus is.")],
    corpus: Annotated[str, typer.Option(help="What kind of corpus it is.")] = "folder",
    out: Annotated[
        Path | None, typer.Option(help="The folder to write; without it runs/NAME-OF-THE-SPEC.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train for this long.")] = None,
    steps: StepsOption = None,
    batch_frames: BatchFramesOption = 2000,
    lr: LrOption = 1e-3,
    warmup: WarmupOption = 100,
    holdout: Annotated[
        int, typer.Option(min=0, help="How many utterances, the last ones, are not trained on.")
    ] = 10,
    seed: SeedOption = 0,
    precision: PrecisionOption = "auto",
    settings: SetOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train the model of a spec on aligned speech.

    Writes model.safetensors and losses.json, and says how the model does on what was held out.
    """
    budget = make_budget(minutes, steps)
    prepare_device(device, threads)
    session = session_of(ctx)
    plugins = session.plugins
    checked = load_with(spec, settings, session)
    options = TrainOptions(
        corpus=corpus,
        data=data,
        out=out or Path("runs") / checked.name,
        holdout=holdout,
        batch_frames=batch_frames,
        seed=seed,
        settings=TrainingSettings(lr=lr, warmup_steps=warmup, precision=precision, device=device),
    )
    from kokoro_plugins.training.train import run_training

    run_training(checked, options, budget, plugins, Console())
