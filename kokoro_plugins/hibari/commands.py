"""The command `hibari-corpus`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.params.component import params_from
from kokoro_plugins.hibari.making import make_corpus
from kokoro_plugins.hibari.params import MAX_SENTENCES, HibariCorpusParams


def hibari_corpus(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    sentences: Annotated[
        int, typer.Option(min=1, max=MAX_SENTENCES, help="Sentences to train on.")
    ] = 2000,
    held_out: Annotated[
        int, typer.Option(min=0, max=MAX_SENTENCES, help="Sentences beyond, to choose a model by.")
    ] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Decides which sentences.")] = 0,
    part: Annotated[
        str, typer.Option(help="training, or reporting: of sentences that the other never has.")
    ] = "training",
    voices: Annotated[
        str, typer.Option(help="heart, joe (to measure with), or heart+joe, in turn.")
    ] = "heart",
) -> None:
    """Make a folder of natural, aligned speech with hibari-tts, to train on."""
    params = params_from(
        HibariCorpusParams,
        {
            **{"path": str(folder), "sentences": sentences, "held_out": held_out, "seed": seed},
            **{"part": part, "voices": voices},
        },
    )
    recipe = params.recipe()
    made = make_corpus(folder, recipe, _watched)
    typer.echo(
        f"{folder}: {sentences} sentences and {held_out} held out "
        f"{'made' if made else 'were there already'}"
    )


def _watched(named: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Yield names and texts with a progress bar, where a terminal is."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(
        named, "speaking", console=console, transient=True, disable=not console.is_terminal
    )
