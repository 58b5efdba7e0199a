"""The command `corpus`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.espeak_corpus import Recipe, make_corpus
from kokoro_plugins.speech.params import MAX_SENTENCES


def corpus(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    sentences: Annotated[
        int, typer.Option(min=1, max=MAX_SENTENCES, help="How many sentences.")
    ] = 315,
    seed: Annotated[int, typer.Option(min=0, help="Decides which sentences.")] = 0,
    voice: Annotated[str, typer.Option(help="An English voice of espeak-ng.")] = "en-us",
) -> None:
    """Make a folder of aligned speech with espeak-ng, to train on."""
    audio = AudioSettings()
    recipe = Recipe.of(audio=audio, sentences=sentences, seed=seed, voice=voice)
    made = make_corpus(folder, recipe, audio)
    typer.echo(f"{folder}: {sentences} sentences {'made' if made else 'were there already'}")
