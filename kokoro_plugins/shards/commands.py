"""The commands `shards` and `check-shards`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import track

from kokoro_core.cli.corpus_settings import CorpusSetOption, read_corpus_settings
from kokoro_core.cli.toolkit import SetOption, load_with, print_error, session_of
from kokoro_core.params.component import params_from
from kokoro_core.slots import CORPUS
from kokoro_core.spec.rules.intake import features_for_training
from kokoro_core.spec.rules.waves import WAVE

Stored = Literal["mels", "recordings", "both"]


def shards(
    ctx: typer.Context,
    data: Annotated[Path, typer.Argument(help="Where the corpus is.")],
    out: Annotated[Path, typer.Argument(help="The folder to make, or to go on with.")],
    spec: Annotated[
        str, typer.Option(metavar="SPEC", help="The model to write for: a file or a name.")
    ] = "quick",
    settings: SetOption = None,
    corpus: Annotated[str, typer.Option(help="What kind of corpus it is.")] = "folder",
    corpus_set: CorpusSetOption = None,
    store: Annotated[
        Stored | None,
        typer.Option(help="Without it mels, and recordings too if the model learns from samples."),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Write it too; what the model learns from is written."),
    ] = None,
    per_shard: Annotated[int, typer.Option(min=1, help="Utterances of a shard.")] = 2000,
    holdout: Annotated[
        int | None,
        typer.Option(min=0, help="How many are held out; without it what the corpus says."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=256, help="Processes that read the corpus ahead.")
    ] = 0,
    anew: Annotated[
        bool, typer.Option("--anew", help="Write anew what was written of other data.")
    ] = False,
) -> None:
    """Write a corpus as tar files with an index, for more than fits into memory.

    The same command goes on where it was stopped.
    """
    session = session_of(ctx)
    checked = load_with(spec, settings, session)
    if checked.audio is None or checked.frontend is None:
        raise ValueError(
            f"`{checked.name}` must have `audio` and `frontend`, by which a corpus is read."
        )
    from kokoro_plugins.shards.writing import WriteSettings, write_shards

    given = {**read_corpus_settings(corpus_set or []), "path": str(data)}
    params = params_from(session.plugins.components.get(CORPUS, corpus), given)
    frontend = checked.frontend.build(checked.sizes)
    wanted = {*features_for_training(checked), *(feature or [])}
    kept = store or ("both" if WAVE in wanted else "mels")
    chosen = WriteSettings(
        audio=checked.audio,
        symbols=frontend.symbols,
        features=tuple(sorted(wanted - {WAVE})),
        keeps_mels=kept != "recordings",
        keeps_recordings=kept != "mels",
        per_shard=per_shard,
        holdout=holdout,
        made_of=json.dumps([corpus, given, state_of(data)], sort_keys=True, default=str),
    )
    made = write_shards(
        params.build(audio=checked.audio, frontend=frontend),
        out,
        chosen,
        workers=workers,
        anew=anew,
        watch=_watched,
    )
    typer.echo(f"{out}: shards {'written' if made else 'were there already'}")
    read_from = ["--corpus", "shards", "--data", str(out)]
    typer.echo(shlex.join(["kokoro-core", "train", str(spec), *read_from, "--minutes", "30"]))


def state_of(data: Path) -> list[tuple[str, int, int]]:
    """Return the path, the size and the time of every file of a corpus."""
    files = sorted(each for each in data.rglob("*") if each.is_file()) if data.is_dir() else [data]
    states = ((each, each.stat()) for each in files if each.exists())
    return [(each.as_posix(), found.st_size, found.st_mtime_ns) for each, found in states]


def _watched(packed: Iterator[Any], total: int) -> Iterator[Any]:
    console = Console(stderr=True)
    hidden = not console.is_terminal
    return iter(track(packed, "written", total, console=console, transient=True, disable=hidden))


def check_shards(
    folder: Annotated[Path, typer.Argument(help="The folder with the shards.")],
) -> None:
    """Read shards through and compare them with their index."""
    from kokoro_plugins.shards.checking import check

    problems = check(folder)
    for each in problems:
        print_error(each)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{folder}: all is what was written")
