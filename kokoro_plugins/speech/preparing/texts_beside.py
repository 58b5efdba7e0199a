"""Layouts with a text file for each recording: flat, a folder a speaker, VCTK and LibriTTS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from kokoro_plugins.speech.corpus_problems import NearMatches
from kokoro_plugins.speech.preparing.listed_texts import text_of
from kokoro_plugins.speech.preparing.source import Found, Source, is_audio, one_line

ENDINGS = (".normalized.txt", ".txt", ".lab")
"""Of a text beside its recording; the first that is there counts."""

NO_TEXTS = (".original.txt",)

FIRST_MICROPHONE, SECOND_MICROPHONE = "_mic1", "_mic2"
"""VCTK has each utterance by two microphones; the first is taken."""

Speaker = Callable[[Path], str | None]
"""Returns the speaker of a recording by its path below the data."""


def find_flat(data: Path) -> Found:
    """Return the utterances of a folder with ``ID.wav`` and ``ID.txt`` or ``ID.lab``."""
    files = [each for each in sorted(data.iterdir()) if each.is_file()]
    return _join(_by_place(data, files), _by_place(data, files), lambda path: None)


def find_speakers(data: Path) -> Found:
    """Return the utterances of a folder with a folder a speaker."""
    files = _files(data)
    return _join(_by_place(data, files), _by_place(data, files), lambda path: path.parts[0])


def find_libritts(data: Path) -> Found:
    """Return the utterances of LibriTTS: ``SPEAKER/CHAPTER/ID.wav`` and ``ID.normalized.txt``."""
    files = _files(data)
    return _join(_by_place(data, files), _by_place(data, files), lambda path: path.parts[-3])


def find_vctk(data: Path) -> Found:
    """Return the utterances of VCTK: texts in ``txt/SPEAKER``, recordings in ``wav48…/SPEAKER``."""
    folder = _wav48(data)[0]
    audio = [each for each in _files(folder) if not each.stem.endswith(SECOND_MICROPHONE)]
    texts = _by_place(data / "txt", _files(data / "txt"))
    return _join(_by_place(folder, audio), texts, lambda path: path.parts[0])


def is_vctk(data: Path) -> bool:
    """Return whether a folder looks like VCTK."""
    return (data / "txt").is_dir() and bool(_wav48(data))


def is_libritts(data: Path) -> bool:
    """Return whether a folder looks like LibriTTS."""
    return any(True for _ in data.rglob("*.normalized.txt"))


def _wav48(data: Path) -> list[Path]:
    return sorted((each for each in data.glob("wav48*") if each.is_dir()), reverse=True)


def _files(folder: Path) -> list[Path]:
    return [each for each in sorted(folder.rglob("*")) if each.is_file()]


def _by_place(root: Path, files: Iterable[Path]) -> dict[Path, Path]:
    """Return files by their path below a root."""
    return {each.relative_to(root): each for each in files}


def _join(recordings: dict[Path, Path], texts: dict[Path, Path], speaker: Speaker) -> Found:
    """Return the pairs of recordings and texts that have one path but for the ending."""
    found = Found()
    audio = {_key(place): (place, path) for place, path in recordings.items() if is_audio(path)}
    written = _texts(texts)
    near = NearMatches(map(str, written))
    stems = Counter(key.name for key in audio)
    for key, (place, path) in audio.items():
        text = written.pop(key, None)
        if text is None:
            other = Path(near.find(str(key)) or "")
            written.pop(other, None)  # an utterance counts once
            hint = f", but there is one for {other.name!r}" if other.name else ""
            message = f"`{place}` has no text beside it{hint}."
            found.problems.add("recordings without a text", message)
            continue
        who = speaker(place)
        name = f"{who}_{key.name}" if stems[key.name] > 1 and who else key.name
        found.sources.append(Source(name, path, one_line(text_of(text, found)), who))
    places = {key.parent for key in audio}
    for key in [each for each in written if each.parent in places]:
        message = f"`{key}` has a text and no recording beside it."
        found.problems.add("texts without a recording", message)
    return found


def _key(recording: Path) -> Path:
    return recording.with_name(recording.stem.removesuffix(FIRST_MICROPHONE))


def _texts(files: dict[Path, Path]) -> dict[Path, Path]:
    """Return the file of each text by its path without the ending."""
    found: dict[Path, Path] = {}
    for place, path in files.items():
        ending = next((each for each in ENDINGS if place.name.endswith(each)), None)
        if ending is None or place.name.endswith(NO_TEXTS):
            continue
        key = place.with_name(place.name.removesuffix(ending))
        if key not in found or ENDINGS.index(ending) < _rank(found[key]):
            found[key] = path
    return found


def _rank(text: Path) -> int:
    return next(rank for rank, each in enumerate(ENDINGS) if text.name.endswith(each))
