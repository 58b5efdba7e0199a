"""The files ``speakers.csv`` and ``languages.csv``: a name for each utterance, ``ID|name``.

A corpus may do without.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from kokoro_plugins.speech.corpus_problems import LineProblem

FILE_NAME, LANGUAGES = "speakers.csv", "languages.csv"

NAME_FILES = {"speaker": FILE_NAME, "language": LANGUAGES}
"""The file of each feature that is a name."""

_EXAMPLES = {FILE_NAME: "the name of the speaker: `ID|anna`", LANGUAGES: "the language: `ID|en`"}


def write_names(path: Path, names: Mapping[str, str]) -> None:
    """Write the speaker or the language of each utterance.

    Raises:
        ValueError: A name would be read as another.
    """
    for name in names.values():
        if "|" in name or len(name.splitlines()) != 1 or name != name.strip():
            raise ValueError(f"A name must be one line without '|' and blanks, not {name!r}.")
    lines = (f"{utterance}|{name}\n" for utterance, name in names.items())
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def names_in(folder: Path) -> dict[str, frozenset[str]]:
    """Return the names in each file of a folder that can be read, by feature."""
    found: dict[str, frozenset[str]] = {}
    for feature, file in NAME_FILES.items():
        with suppress(OSError, UnicodeDecodeError):  # is said as the corpus is opened
            lines = (folder / file).read_text(encoding="utf-8-sig").split("\n")
            found[feature] = frozenset(_read(file, lines)[0].values())
    return found


def read_speakers(lines: Iterable[str]) -> tuple[dict[str, str], list[LineProblem]]:
    """Return the speaker of each utterance, and the problems of the lines that name none."""
    return _read(FILE_NAME, lines)


def read_languages(lines: Iterable[str]) -> tuple[dict[str, str], list[LineProblem]]:
    """Return the language of each utterance, and the problems of the lines that name none."""
    return _read(LANGUAGES, lines)


def _read(file: str, lines: Iterable[str]) -> tuple[dict[str, str], list[LineProblem]]:
    found: dict[str, str] = {}
    problems: list[LineProblem] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        utterance, _, name = (each.strip() for each in line.partition("|"))
        if not name or "|" in name:
            message = f"must be followed by one field, {_EXAMPLES[file]}."
            problems.append(LineProblem(file, number, utterance, message))
        elif utterance in found:
            problems.append(LineProblem(file, number, utterance, "is there twice; keep one line."))
        else:
            found[utterance] = name
    return found, problems
