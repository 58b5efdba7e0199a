"""What decides a corpus of the voice, and the folder that holds it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Literal

from kokoro_core.errors import CorpusError
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.hibari.sentences import Part

Voices = Literal["heart", "joe", "heart+joe"]
"""The voice of hibari-tts, a second one to measure with, or both."""

RECIPE_FILE = "recipe.json"
WAVS, TEXTS, DURATIONS, HELD_OUT = "wavs", "metadata.csv", "durations.csv", "held_out.txt"
SPEAKERS = "speakers.csv"
PITCH = "pitch.safetensors"
_PARTS = (WAVS, TEXTS, DURATIONS, HELD_OUT, PITCH)

TELLS_ITS_PITCH = "heart"
"""The voice that says with what pitch it speaks."""


@dataclass(frozen=True)
class Recipe:
    """All that decides what the folder holds; it is written into it.

    Attributes:
        sentences: How many, those that are held out among them.
        held_out: How many of them, the last ones, are to choose a model by.
        seed: Decides which, and the noise in the voice.
        part: Of the sentences that there are.
        hibari_tts: The version of the package.
        voices: Who speaks; of two each every other sentence.
    """

    sentences: int
    held_out: int
    seed: int
    part: Part
    hibari_tts: str
    voices: Voices = "heart"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the voices."""
        return tuple(self.voices.split("+"))

    @property
    def parts(self) -> tuple[str, ...]:
        """What lies in the folder beside the recipe."""
        return (*_PARTS, *((SPEAKERS,) if len(self.names) > 1 else ()))

    def spoken_by(self) -> dict[str, str]:
        """Return who speaks each utterance, by its name."""
        numbers = range(1, self.sentences + 1)
        names = (f"hibari-{number:05d}" for number in numbers)
        return dict(zip(names, cycle(self.names), strict=False))


def check_audio(audio: AudioSettings) -> None:
    """Refuse settings under which the voice's frames are not those of the mel.

    Raises:
        CorpusError: A setting is another.
    """
    wanted = {"sample_rate": 24_000, "hop_length": 300, "padding": "same"}
    wrong = [
        f"`audio.{name}` must be {value!r}, not {getattr(audio, name)!r}"
        for name, value in wanted.items()
        if getattr(audio, name) != value
    ]
    if wrong:
        raise CorpusError(
            f"The corpus `hibari` counts frames of 12.5 ms, so {' and '.join(wrong)}; the named "
            f"spec `heart` has such settings."
        )


def check_recipe(path: Path, recipe: Recipe) -> None:
    """Refuse a folder that another recipe made, or none.

    Raises:
        CorpusError: It holds something else, or lacks a part.
    """
    try:
        found = json.loads((path / RECIPE_FILE).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CorpusError(
            f"`{path}` is not empty and was not made by the corpus `hibari`; give another folder, "
            f"or read it with the corpus `folder`."
        )
    wanted = asdict(recipe)
    found = {"voices": "heart"} | found  # there was one voice at first
    differences = [f"{k} {found.get(k)} not {v}" for k, v in wanted.items() if found.get(k) != v]
    if differences:
        raise CorpusError(
            f"`{path}` holds a corpus of another recipe ({', '.join(differences)}); say the same, "
            f"give another folder, or delete this one."
        )
    gone = [name for name in recipe.parts if not (path / name).exists()]
    if gone:
        raise CorpusError(
            f"`{path}` holds a corpus of this recipe without {' and '.join(gone)}; delete the "
            f"folder, so that it is made anew."
        )
