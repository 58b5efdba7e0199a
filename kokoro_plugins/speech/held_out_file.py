"""The file ``held_out.txt``: the IDs of utterances that are not trained on, one a line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kokoro_plugins.speech.corpus_problems import LineProblem

FILE_NAME = "held_out.txt"


def write_held_out(path: Path, names: Iterable[str]) -> None:
    """Write the file."""
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8", newline="\n")


def read_held_out(lines: Iterable[str]) -> tuple[dict[str, int], list[LineProblem]]:
    """Return the number of the line of each ID, and no problem: any line names an utterance."""
    numbered = ((line.strip(), number) for number, line in enumerate(lines, start=1))
    return {name: number for name, number in numbered if name}, []
