"""The file ``durations.csv``: for each utterance its phonemes and how many frames each lasts.

A line is ``ID|symbols|frames``, both lists with spaces between: ``s1|h ə l ˈ oʊ .|5 4 9 1 18 1``.
A symbol that is a blank is written ``<space>``. docs/data.md describes the file for those who bring
alignments of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kokoro_plugins.speech.corpus_problems import LineProblem

FILE_NAME = "durations.csv"
SPACE = "<space>"
"""How the symbol " " is written, since blanks stand between symbols."""


@dataclass(frozen=True)
class Alignment:
    """The phonemes of an utterance and the mel frames of each."""

    symbols: tuple[str, ...]
    frames: tuple[int, ...]


def write_durations(path: Path, alignments: Mapping[str, Alignment]) -> None:
    """Write the file.

    Raises:
        ValueError: A symbol would be read as another or as several.
    """
    lines = (
        f"{name}|{' '.join(map(_written, each.symbols))}|{' '.join(map(str, each.frames))}\n"
        for name, each in alignments.items()
    )
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def _written(symbol: str) -> str:
    if symbol == " ":
        return SPACE
    if symbol == SPACE or " " in symbol or len(symbol.splitlines()) != 1:
        raise ValueError(
            f"`{FILE_NAME}` cannot hold the symbol {symbol!r}: a blank is written {SPACE!r}, and "
            f"no symbol has a blank or a line break in it."
        )
    return symbol


def read_durations(lines: Iterable[str]) -> tuple[dict[str, Alignment], list[LineProblem]]:
    """Return the alignment of each utterance, and the problems of the lines that have none."""
    alignments: dict[str, Alignment] = {}
    problems: list[LineProblem] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, _, rest = line.rstrip("\r\n").partition("|")
        found = _alignment(rest)
        if isinstance(found, str):
            problems.append(LineProblem(FILE_NAME, number, name, found))
        elif name in alignments:
            problems.append(LineProblem(FILE_NAME, number, name, "is there twice; keep one line."))
        else:
            alignments[name] = found
    return alignments, problems


def _alignment(text: str) -> Alignment | str:
    """Return the alignment that a line states, or what is wrong with it."""
    # A symbol may be "|": frames have none.
    left, separator, right = text.rpartition("|")
    if not separator:
        return "must be followed by two fields, symbols and frames: `ID|h ə l ˈ oʊ|5 4 9 1 18`."
    symbols = [" " if each == SPACE else each for each in left.split(" ") if each]
    frames = right.split()
    if not symbols:
        return "has no phoneme; an utterance has at least one."
    if len(symbols) != len(frames):
        return (
            f"has {len(symbols)} symbols but {len(frames)} frames; each symbol has one number, and "
            f"a symbol that is a blank is written `{SPACE}`."
        )
    wrong = [each for each in frames if not (each.isascii() and each.isdigit() and len(each) < 10)]
    if wrong:
        return f"has the frames {wrong[0][:20]!r}; frames are whole numbers from 0 to 999,999,999."
    return Alignment(tuple(symbols), tuple(map(int, frames)))
