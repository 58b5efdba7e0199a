"""The files of a folder with a line an utterance, and what one has that another has not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kokoro_plugins.speech import durations_file, held_out_file, metadata_file, speakers_file
from kokoro_plugins.speech.corpus_problems import LineProblem, NearMatches, Problems
from kokoro_plugins.speech.durations_file import Alignment

T = TypeVar("T")


@dataclass(frozen=True)
class Written:
    """What the files of a folder say of each utterance; None: a file cannot be read.

    Attributes:
        texts: By name, in order.
        alignments: By name; empty where durations are not read.
        speakers: By name; empty without a file of speakers.
        languages: Likewise.
        held_out: By name; None without a file of what is held out.
        bad_texts: Names in bad lines of texts.
        bad_alignments: Names in bad lines of durations.
    """

    texts: dict[str, str] | None
    alignments: dict[str, Alignment] | None
    speakers: dict[str, str]
    languages: dict[str, str]
    held_out: dict[str, int] | None
    bad_texts: set[str]
    bad_alignments: set[str]


def read_files(path: Path, has_durations: bool, problems: Problems) -> Written:
    """Return what the files say, and note what is wrong with them."""
    texts, bad_texts = _read_lines(
        path / metadata_file.FILE_NAME, metadata_file.read_metadata, problems
    )
    alignments: dict[str, Alignment] | None = {}
    bad_alignments: set[str] = set()
    if has_durations:
        file = path / durations_file.FILE_NAME
        alignments, bad_alignments = _read_lines(file, durations_file.read_durations, problems)
    file = path / speakers_file.FILE_NAME
    speakers = _read_if_there(file, speakers_file.read_speakers, problems)
    file = path / speakers_file.LANGUAGES
    languages = _read_if_there(file, speakers_file.read_languages, problems)
    file = path / held_out_file.FILE_NAME
    held_out = _read_if_there(file, held_out_file.read_held_out, problems)
    return Written(
        texts=texts,
        alignments=alignments,
        speakers=speakers or {},
        languages=languages or {},
        held_out=held_out,
        bad_texts=bad_texts,
        bad_alignments=bad_alignments,
    )


def find_unmatched(written: Written, problems: Problems) -> None:
    """Find what one file has and another has not."""
    texts = written.texts
    if texts is None:
        return
    near, told = NearMatches(texts), {*texts, *written.bad_texts}
    for name in [each for each in written.alignments or {} if each not in told]:
        problems.add("durations without a text", _without_text(name, near.find(name)))
    for kind, file, names in (
        ("no speaker", speakers_file.FILE_NAME, written.speakers),
        ("no language", speakers_file.LANGUAGES, written.languages),
    ):
        for name in [each for each in texts if names and each not in names]:
            problems.add(kind, f"`{name}` has no line in {file}.")
    for name in [each for each in written.held_out or () if each not in told]:
        message = f"`{name}` is in {held_out_file.FILE_NAME} but not in {metadata_file.FILE_NAME}."
        problems.add("held out without a text", message)
    if texts == {} and not problems:
        message = f"{metadata_file.FILE_NAME} has no utterance; write one a line."
        problems.add("no utterance", message)


def _read_if_there(
    file: Path,
    read: Callable[[Iterable[str]], tuple[dict[str, T], list[LineProblem]]],
    problems: Problems,
) -> dict[str, T] | None:
    """Return what a file says of each utterance; None without the file."""
    return _read_lines(file, read, problems)[0] if file.exists() else None


def _without_text(name: str, near: str | None) -> str:
    hint = f", which has one for {near!r}" if near is not None else ""
    return f"`{name}` has durations but no line in {metadata_file.FILE_NAME}{hint}."


def _read_lines(
    file: Path,
    read: Callable[[Iterable[str]], tuple[dict[str, T], list[LineProblem]]],
    problems: Problems,
) -> tuple[dict[str, T] | None, set[str]]:
    """Return what a file says of each utterance, None if it cannot be read, and the bad names."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        message = f"{file.name} cannot be read: {error.strerror}; docs/data.md describes it."
        problems.add(f"{file.name} cannot be read", message)
        return None, set()
    except UnicodeDecodeError as error:
        message = f"{file.name} must be UTF-8, but byte {error.start} is not."
        problems.add(f"{file.name} is not UTF-8", message)
        return None, set()
    found, bad = read(text.split("\n"))
    for each in bad:
        problems.add(f"bad lines of {file.name}", str(each))
    return found, {each.name for each in bad}
