"""Tables of texts to speak: a file of sound for each row."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

COLUMNS = ("out", "text", "speaker", "language", "speed", "seed")
"""What a table may have; the first two it must have."""

_NUMBERS = {"speed": float, "seed": int}


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        line: Where it stands.
        out: The file to write, in the folder that is made for all; empty if the row names none.
        text: What is spoken.
        speaker: Instead of what the command says; so are the others.
        language: By name.
        speed: Above 1 is faster.
        seed: For models that sample.
        problem: Why it cannot be spoken, if it cannot.
    """

    line: int
    out: str
    text: str
    speaker: str | None = None
    language: str | None = None
    speed: float | None = None
    seed: int | None = None
    problem: str | None = None

    @property
    def file(self) -> Path | None:
        """The file to write; None: the standard output, or the row names none."""
        return None if self.out in ("", "-") else Path(self.out)


def read_table(file: Path) -> list[Row]:
    """Return the rows of a CSV file with a head; what is wrong with one stands in it.

    Raises:
        ValueError: It is no CSV, a column is missing or unknown, or two rows have one file.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"`{file}` must be UTF-8, but byte {error.start} is not.") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        head = reader.fieldnames or ()
        rows = [_row(file, reader.line_num, each) for each in reader]
    except csv.Error as error:
        raise ValueError(f"`{file}` is no CSV after line {reader.line_num}: {error}.") from None
    unknown = [name for name in head if name not in COLUMNS]
    if unknown or not {"out", "text"} <= set(head):
        wrong = f"the columns {', '.join(map(repr, unknown))}" if unknown else "no column for both"
        raise ValueError(
            f"`{file}` has {wrong}; it needs `out` and `text`, and may have "
            f"{', '.join(f'`{name}`' for name in COLUMNS[2:])}."
        )
    names = [row.out for row in rows if row.out]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"`{file}` has `{twice}` twice; each row writes a file of its own.")
    if not rows:
        raise ValueError(f"`{file}` has no row; write one a text.")
    return rows


def _row(file: Path, line: int, cells: dict[str, str]) -> Row:
    given = {name: value for name, value in cells.items() if name in COLUMNS and value}
    row = Row(line, given.get("out", ""), given.get("text", ""))
    try:
        _check(cells, given)
        numbers = _numbers(given)
    except ValueError as error:
        return replace(row, problem=f"`{file}`, line {line}, must have {error}.")
    return replace(row, speaker=given.get("speaker"), language=given.get("language"), **numbers)


def _check(cells: dict[str, str], given: dict[str, str]) -> None:
    if None in cells or not given.get("text", "").strip() or "out" not in given:
        raise ValueError("a file and a text, and no more cells than the head")
    if Path(given["out"]).name != given["out"]:
        raise ValueError(f"a plain file name, not {given['out']!r}")


def _numbers(given: dict[str, str]) -> dict[str, Any]:
    try:
        return {kind: to(given[kind]) for kind, to in _NUMBERS.items() if kind in given}
    except ValueError:
        raise ValueError("numbers for `speed` and `seed`") from None
