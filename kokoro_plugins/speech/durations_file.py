"""The file ``durations.csv``: for each utterance its phonemes and how many frames each lasts.

A line is ``ID|symbols|frames``, both lists with spaces between: ``s1|h ə l ˈ oʊ .|5 4 9 1 18 1``.
docs/data.md describes it for those who bring alignments of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = "durations.csv"


@dataclass(frozen=True)
class Alignment:
    """The phonemes of an utterance and the mel frames of each."""

    symbols: tuple[str, ...]
    frames: tuple[int, ...]


def write_durations(path: Path, alignments: Mapping[str, Alignment]) -> None:
    """Write the file."""
    lines = (
        f"{name}|{' '.join(each.symbols)}|{' '.join(map(str, each.frames))}\n"
        for name, each in alignments.items()
    )
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def read_durations(lines: Iterable[str]) -> tuple[dict[str, Alignment], list[str]]:
    """Return the alignment of each utterance, and the problems of the lines that have none."""
    alignments: dict[str, Alignment] = {}
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, _, rest = line.rstrip("\r\n").partition("|")
        found = _alignment(rest)
        if isinstance(found, str):
            problems.append(f"{FILE_NAME}:{number}: `{name}` {found}")
        elif name in alignments:
            problems.append(f"{FILE_NAME}:{number}: `{name}` is there twice; keep one line.")
        else:
            alignments[name] = found
    return alignments, problems


def _alignment(text: str) -> Alignment | str:
    """Return the alignment that a line states, or what is wrong with it."""
    fields = text.split("|")
    if len(fields) != 2:
        return "must be followed by two fields, symbols and frames: `ID|h ə l ˈ oʊ|5 4 9 1 18`."
    symbols, frames = fields[0].split(), fields[1].split()
    if not symbols:
        return "has no phoneme; an utterance has at least one."
    if len(symbols) != len(frames):
        return f"has {len(symbols)} symbols but {len(frames)} frames; each symbol has one number."
    wrong = [each for each in frames if not (each.isascii() and each.isdigit() and len(each) < 10)]
    if wrong:
        return f"has the frames {wrong[0][:20]!r}; frames are whole numbers from 0 to 999,999,999."
    return Alignment(tuple(symbols), tuple(map(int, frames)))
