"""The corpus `espeak`: sentences spoken by espeak-ng, written as a folder for `FolderCorpus`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import soundfile

from kokoro_core.errors import CorpusError
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech import durations_file, metadata_file
from kokoro_plugins.speech.durations_file import Alignment
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_library import SAMPLE_RATE
from kokoro_plugins.speech.sentences import make_sentences
from kokoro_plugins.speech.synthesis import check_sample_rate, synthesize_aligned

RECIPE_FILE = "recipe.json"
_PARTS = ("wavs", metadata_file.FILE_NAME, durations_file.FILE_NAME)


@dataclass(frozen=True)
class Recipe:
    """All that decides what the folder holds; it is written into it.

    Attributes:
        sentences: How many.
        seed: Decides which.
        voice: The voice of espeak-ng.
        hop_length: Samples between two frames, in which durations count.
        n_fft: With the padding it decides how many frames a recording has.
        padding: As in `AudioSettings`.
    """

    sentences: int
    seed: int
    voice: str
    hop_length: int
    n_fft: int
    padding: str

    @classmethod
    def of(cls, *, audio: AudioSettings, sentences: int, seed: int, voice: str) -> Self:
        """Return the recipe for mels of these settings."""
        return cls(sentences, seed, voice, audio.hop_length, audio.n_fft, audio.padding)


def make_corpus(path: Path, recipe: Recipe, audio: AudioSettings) -> bool:
    """Make the folder, unless this recipe made it before; return whether it was made now.

    The folder appears whole or not at all.

    Raises:
        CorpusError: The folder holds something else, or cannot be made.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        _check_recipe(path, recipe)
        return False
    if path.exists() and path.samefile(os.curdir):
        raise CorpusError(
            f"`{path}` is the folder that this command runs in, and a corpus appears whole, as a "
            f"folder of its own; give another one, such as `{path / 'corpus'}`."
        )
    try:
        _make(path, recipe, audio)
    except OSError as error:
        raise CorpusError(
            f"`{path}` cannot be made: {error.strerror or error}; give a folder that can be."
        ) from error
    except ValueError as error:
        raise CorpusError(f"`{path}` cannot be made: {error}") from error
    return True


def _make(path: Path, recipe: Recipe, audio: AudioSettings) -> None:
    check_sample_rate(audio)
    sentences = make_sentences(recipe.sentences, recipe.seed)
    espeak = Espeak(recipe.voice)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch) / "corpus"
        write_folder(folder, sentences, espeak, MelSpectrogram(audio=audio))
        (folder / RECIPE_FILE).write_text(json.dumps(asdict(recipe), indent=2) + "\n", "utf-8")
        if path.exists():
            path.rmdir()  # empty, as was seen above; Windows renames onto nothing
        os.replace(folder, path)


def write_folder(folder: Path, texts: Sequence[str], espeak: Espeak, mel: MelSpectrogram) -> None:
    """Speak the texts and write recordings, metadata and durations.

    Raises:
        FrontendError: A text cannot be spoken.
    """
    (folder / "wavs").mkdir(parents=True)
    width = max(4, len(str(len(texts))))
    named = {f"espeak-{number:0{width}d}": text for number, text in enumerate(texts, start=1)}
    alignments: dict[str, Alignment] = {}
    for name, text in named.items():
        speech = synthesize_aligned(espeak, text, mel)
        soundfile.write(folder / "wavs" / f"{name}.wav", speech.samples, SAMPLE_RATE, "PCM_16")
        alignments[name] = speech.alignment
    metadata_file.write_metadata(folder / metadata_file.FILE_NAME, named)
    durations_file.write_durations(folder / durations_file.FILE_NAME, alignments)


def _check_recipe(path: Path, recipe: Recipe) -> None:
    """Refuse a folder that another recipe made, or none."""
    try:
        found = json.loads((path / RECIPE_FILE).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CorpusError(
            f"`{path}` is not empty and was not made by the corpus `espeak`; "
            f"give another folder, or read it with the corpus `folder`."
        )
    wanted = asdict(recipe)
    differences = [f"{k} {found.get(k)} not {v}" for k, v in wanted.items() if found.get(k) != v]
    if differences:
        raise CorpusError(
            f"`{path}` holds a corpus of another recipe ({', '.join(differences)}); "
            f"give another folder, or delete this one."
        )
    gone = [name for name in _PARTS if not (path / name).exists()]
    if gone:
        raise CorpusError(
            f"`{path}` holds a corpus of this recipe without {' and '.join(gone)}; delete the "
            f"folder, so that it is made anew."
        )
