"""The layout of LJSpeech: ``metadata.csv`` and ``wavs/``, with other files about the same IDs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from kokoro_plugins.speech import metadata_file, speakers_file
from kokoro_plugins.speech.corpus_problems import LineProblem, NearMatches
from kokoro_plugins.speech.preparing.source import Found, Source, is_audio, one_line

T = TypeVar("T")


def find_listed(data: Path) -> Found:
    """Return the utterances of ``metadata.csv`` whose recordings lie in ``wavs``.

    ``speakers.csv`` is read if it is there.
    """
    found = Found()
    texts = _read(data / metadata_file.FILE_NAME, metadata_file.read_metadata, found)
    speakers = _read(data / speakers_file.FILE_NAME, speakers_file.read_speakers, found)
    folder = data / "wavs" if (data / "wavs").is_dir() else data
    recordings = {path.stem: path for path in sorted(folder.iterdir()) if is_audio(path)}
    near, told = NearMatches(recordings), set(texts)
    for name, text in texts.items():
        if name not in recordings:
            told.add(other := near.find(name) or "")
            found.problems.add("no recording", f"`{name}` {missing(folder, other)}")
            continue
        source = Source(name, recordings[name], one_line(text), speakers.get(name))
        found.sources.append(source)
    for name in [each for each in recordings if each not in told]:
        message = f"`{recordings[name].name}` has no line in {metadata_file.FILE_NAME}."
        found.problems.add("recordings without a text", message)
    return found


def missing(folder: Path, other: str) -> str:
    """Return the end of a sentence about a recording that is not there, but maybe another is."""
    hint = f", but there is one for {other!r}, whose name differs in a detail" if other else ""
    return f"has no recording in {folder.name}/{hint}."


def _read(
    file: Path,
    read: Callable[[Iterable[str]], tuple[dict[str, T], list[LineProblem]]],
    into: Found,
) -> Mapping[str, T]:
    """Return what a file says of each utterance; without the file nothing."""
    if not file.exists():
        return {}
    said, bad = read(text_of(file, into).split("\n"))
    for each in bad:
        into.problems.add(f"bad lines of {file.name}", str(each))
    return said


def text_of(file: Path, into: Found) -> str:
    """Return what stands in a file, or nothing where it is not UTF-8, which is noted."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"`{file.name}` must be UTF-8, but byte {error.start} is not."
        into.problems.add("files that are not UTF-8", message)
        return ""
