"""The command ``compare``: several specs, one budget, one table."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.cli.toolkit import load_with, session_of
from kokoro_plugins.training.commands.options import (
    BatchFramesOption,
    DeviceOption,
    FramesOption,
    LrOption,
    PrecisionOption,
    StepsOption,
    ThreadsOption,
    WarmupOption,
    make_budget,
    prepare_device,
)
from kokoro_plugins.training.comparison.contender import read_contenders
from kokoro_plugins.training.output import plain_console
from kokoro_plugins.training.settings import CompareOptions, TrainingSettings

MOST = 1000
"""The most seeds, and the most looks."""


def choose_corpus(corpus: str | None, data: Path | None) -> str:
    """Return the kind of corpus to open.

    Raises:
        ValueError: A kind is given that is not made, and no place to read it from.
    """
    if data is None and corpus not in (None, "espeak"):
        raise ValueError(
            f"`--corpus {corpus}` is read from where `--data` says, which is not given; without "
            f"both the demo's corpus is made."
        )
    return corpus if corpus is not None else "espeak" if data is None else "folder"


def compare(
    ctx: typer.Context,
    contenders: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC...",
            help="Specs, each with what it is trained with inside the same quotes: "
            "'voice --set hidden_dim=192 --lr 2e-3 --warmup 50 --batch-frames 400 --accumulate 2 "
            "--optimizer muon'.",
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Where the corpus is; without it the demo's is made.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(help="What kind of corpus it is; without it folder.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Train each for this long; on a CPU its own time is counted."),
    ] = None,
    steps: StepsOption = None,
    frames: FramesOption = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=MOST, help="Trainings of each, with other seeds.")
    ] = 2,
    looks: Annotated[
        int, typer.Option(min=1, max=MOST, help="How often each is measured, the end included.")
    ] = 4,
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("comparison"),
    sentences: Annotated[int, typer.Option(min=3, help="Sentences of the demo's corpus.")] = 315,
    holdout: Annotated[int, typer.Option(min=1, help="How many are not trained on.")] = 15,
    batch_frames: BatchFramesOption = 800,
    lr: LrOption = 1e-3,
    warmup: WarmupOption = 100,
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train several specs with the same budget and write one table of how they do.

    What is measured is the error on sentences held out, with true frames and with the model's own,
    how many end in time and how distorted they are. The same command goes on where it was stopped.
    """
    make = partial(make_budget, minutes, steps, frames)
    make()
    prepare_device(device, threads)
    session = session_of(ctx)
    plugins = session.plugins
    common = TrainingSettings(lr=lr, warmup_steps=warmup, precision=precision, device=device)
    read = read_contenders(
        contenders, common, batch_frames, lambda source, sets: load_with(source, sets, session)
    )
    options = CompareOptions(
        out=out,
        data=data,
        corpus=choose_corpus(corpus, data),
        sentences=sentences,
        holdout=holdout,
        seeds=seeds,
        looks=looks,
        device=device,
    )
    from kokoro_plugins.training.comparison.compare import run_comparison
    from kokoro_plugins.training.loop.sentences import as_sentences

    console = plain_console()
    with as_sentences():
        comparison = run_comparison(read, options, make, plugins, console)
    comparison.print(console)
    console.print(f"{out / 'comparison.md'}: the table", soft_wrap=True)
