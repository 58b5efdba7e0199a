"""The command ``prepare``: recordings and texts → a folder that `train` reads."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kokoro_core import ModelSpec
from kokoro_core.cli.toolkit import Session, SetOption, load_with, print_error, session_of
from kokoro_plugins.speech.preparing.settings import (
    ALIGNS,
    LAYOUTS,
    PrepareSettings,
    SoundSettings,
)

NONE = "none"


def prepare(
    ctx: typer.Context,
    data: Annotated[Path, typer.Argument(help="A folder or a table with recordings and texts.")],
    out: Annotated[Path, typer.Argument(help="The folder to make, or to go on with.")],
    spec: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="The model to prepare for: a file or a name; without it that of --from, or quick.",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="CHECKPOINT",
            help="The model that training will begin with; its voice finds the durations.",
        ),
    ] = None,
    settings: SetOption = None,
    layout: Annotated[
        str | None,
        typer.Option(metavar="|".join(LAYOUTS), help="Without it what the data looks like."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(help="Of the texts, as espeak-ng calls it; without it the spec's."),
    ] = None,
    align: Annotated[
        str, typer.Option(metavar="|".join(ALIGNS), help="Where durations come from.")
    ] = "auto",
    refine: Annotated[
        bool, typer.Option(help="Refine durations of `--align espeak` by the recordings.")
    ] = True,
    durations: Annotated[
        Path | None, typer.Option(help="A table of durations, in frames or in seconds.")
    ] = None,
    textgrids: Annotated[
        Path | None, typer.Option(help="The folder of TextGrids; without it that of the data.")
    ] = None,
    loudness: Annotated[
        str, typer.Option(metavar="LUFS|none", help="The loudness of all recordings.")
    ] = "-23",
    silence: Annotated[
        str, typer.Option(metavar="SECONDS|none", help="What stays of the silence at the ends.")
    ] = "0.1",
    holdout: Annotated[
        int | None,
        typer.Option(min=0, help="How many utterances are held out; without it one in twenty."),
    ] = None,
    drop_worst: Annotated[
        str, typer.Option(metavar="SHARE", help="Leave out those least like the others: 1%.")
    ] = "0%",
    workers: Annotated[
        int | None,
        typer.Option(min=0, max=256, help="Processes; without it one for each processor."),
    ] = None,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Go on without what cannot be learned from.")
    ] = False,
    shards: Annotated[
        bool, typer.Option("--shards", help="Write shards too, for more than fits into memory.")
    ] = False,
) -> None:
    """Make a folder that `train` reads of recordings and texts, with a spec and a report.

    The same command goes on where it was stopped.
    """
    session = session_of(ctx)
    checked = load_with(_source(spec, checkpoint, session), settings, session)
    chosen = PrepareSettings(
        layout=layout,  # type: ignore[arg-type]  # checked there
        language=language,
        align=align,  # type: ignore[arg-type]
        checkpoint=checkpoint,
        refine=refine,
        durations=durations,
        textgrids=textgrids,
        sound=SoundSettings(
            _number("loudness", loudness, "-23"), _number("silence", silence, "0.1")
        ),
        holdout=holdout,
        workers=processors() if workers is None else workers,
        leave_out=leave_out,
        drop_worst=_share(drop_worst),
    )
    from kokoro_plugins.speech.preparing.prepare import SPEC, prepare
    from kokoro_plugins.speech.preparing.report import REPORT

    console = Console(markup=False, emoji=False)
    made = prepare(data, out, checked, chosen, plugins=session.plugins, console=console)
    read_from = ["--data", str(out)]
    if shards:
        from kokoro_plugins.speech.preparing.into_shards import write_shards

        folder = write_shards(made, session.plugins, chosen.workers)
        read_from = ["--corpus", "shards", "--data", str(folder)]
    for sentence in made.advice:
        print_error(f"warning: {sentence}.")
    begun = [] if checkpoint is None else ["--from", str(checkpoint)]
    train = ["kokoro-core", "train", str(out / SPEC), *begun, *read_from, "--minutes", "30"]
    console.print(
        f"{len(made.utterances):,} utterances ({made.seconds / 60:.1f} min), "
        f"{len(made.held_out):,} held out, {len(made.problems) + len(made.dropped):,} left out\n"
        f"{out / REPORT}: what was found\n"
        f"{shlex.join(train)}",
        soft_wrap=True,
        highlight=False,
    )


def _source(spec: str | None, checkpoint: Path | None, session: Session) -> str | ModelSpec:
    """Return the spec that is named, or else that of the checkpoint."""
    if spec is not None or checkpoint is None:
        return spec or "quick"
    from kokoro_plugins.speech.preparing.prepare import spec_of_checkpoint

    return spec_of_checkpoint(checkpoint, session.plugins)


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _number(name: str, text: str, example: str) -> float | None:
    """Return a number, or None for the word.

    Raises:
        ValueError: It is neither.
    """
    try:
        return None if text == NONE else float(text)
    except ValueError:
        raise ValueError(
            f"`--{name}` must be a number or `none`, not {text!r}; try {example}."
        ) from None


def _share(text: str) -> float:
    """Return a share that is given in percent.

    Raises:
        ValueError: It is none.
    """
    try:
        return float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError(f"`--drop-worst` must be a share such as 1%, not {text!r}.") from None
