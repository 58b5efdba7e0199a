"""Makes the folder of the corpus `hibari`, once."""

from __future__ import annotations

import json
import os
import tempfile
import wave
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from kokoro_core.errors import CorpusError
from kokoro_plugins.hibari.frontend import HibariFrontend
from kokoro_plugins.hibari.package import make_g2p
from kokoro_plugins.hibari.recipe import (
    DURATIONS,
    HELD_OUT,
    PITCH,
    RECIPE_FILE,
    SPEAKERS,
    TELLS_ITS_PITCH,
    TEXTS,
    WAVS,
    Recipe,
    check_recipe,
)
from kokoro_plugins.hibari.sentences import make_sentences
from kokoro_plugins.hibari.voice import SAMPLE_RATE, HibariVoice, Spoken, Voice

Watch = Callable[[Iterable[tuple[str, str]]], Iterable[tuple[str, str]]]
"""Shows how far a walk through names and texts has come."""


def make_corpus(path: Path, recipe: Recipe, watch: Watch = iter) -> bool:
    """Make the folder, unless this recipe made it before; return whether it was made now.

    The folder appears whole or not at all.

    Raises:
        CorpusError: The folder holds something else, or cannot be made.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        check_recipe(path, recipe)
        return False
    if path.exists() and path.samefile(os.curdir):
        raise CorpusError(
            f"`{path}` is the folder that this command runs in, and a corpus appears whole, as a "
            f"folder of its own; give another one, such as `{path / 'corpus'}`."
        )
    try:
        _make(path, recipe, watch)
    except OSError as error:
        raise CorpusError(
            f"`{path}` cannot be made: {error.strerror or error}; give a folder that can be."
        ) from error
    except ValueError as error:
        raise CorpusError(f"`{path}` cannot be made: {error}") from error
    return True


def _make(path: Path, recipe: Recipe, watch: Watch) -> None:
    texts = make_sentences(recipe.sentences, recipe.seed, recipe.part)
    spoken_by = recipe.spoken_by()
    named = dict(zip(spoken_by, texts, strict=True))
    held_out = list(named)[len(named) - recipe.held_out :]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch) / "corpus"
        (folder / WAVS).mkdir(parents=True)
        _speak(folder, named, recipe, watch)
        if SPEAKERS in recipe.parts:
            lines = (f"{name}|{speaker}\n" for name, speaker in spoken_by.items())
            _write(folder / SPEAKERS, lines)
        _write(folder / TEXTS, (f"{name}|{text}|{text}\n" for name, text in named.items()))
        _write(folder / HELD_OUT, (f"{name}\n" for name in held_out))
        _write(folder / RECIPE_FILE, [json.dumps(asdict(recipe), indent=2), "\n"])
        if path.exists():
            path.rmdir()  # empty, as was seen above; Windows renames onto nothing
        os.replace(folder, path)


def _speak(folder: Path, named: Mapping[str, str], recipe: Recipe, watch: Watch) -> None:
    """Write the recordings, their durations and their pitch."""
    from safetensors.numpy import save

    frontend = HibariFrontend(g2p=make_g2p())
    voices = {name: _voice(name, recipe.seed) for name in recipe.names}
    spoken_by = recipe.spoken_by()
    durations: list[str] = []
    hertz: dict[str, NDArray[np.float32]] = {}
    for name, text in watch(list(named.items())):
        symbols = frontend.phonemize(text)
        spoken = voices[spoken_by[name]].speak(symbols, seed=crc32(text.encode()) + recipe.seed)
        _write_recording(folder / WAVS / f"{name}.wav", spoken)
        durations.append(f"{name}|{' '.join(symbols)}|{' '.join(map(str, spoken.frames))}\n")
        if spoken.hertz is not None:
            hertz[name] = np.ascontiguousarray(spoken.hertz)
    _write(folder / DURATIONS, durations)
    (folder / PITCH).write_bytes(save(hertz))


def _voice(name: str, seed: int) -> Voice:
    """Return a voice.

    Raises:
        ValueError: A package is not installed.
    """
    if name == TELLS_ITS_PITCH:
        return HibariVoice()
    from kokoro_plugins.hibari.joe import JoeVoice

    return JoeVoice(seed)


def _write_recording(path: Path, spoken: Spoken) -> None:
    """Write samples of 16 bits; those with a peak beyond 1 are divided by it, since none is cut."""
    samples = spoken.samples / max(1.0, float(np.abs(spoken.samples).max()))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
