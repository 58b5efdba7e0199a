"""Tables of texts to speak: a file of sound for each row."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("out", "text", "speaker", "language", "speed", "seed")
"""What a table may have; the first two it must have."""


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        line: Where it stands.
        out: The file to write, in the folder that is made for all.
        text: What is spoken.
        speaker: Instead of what the command says; so are the others.
        language: By name.
        speed: Above 1 is faster.
        seed: For models that sample.
    """

    line: int
    out: str
    text: str
    speaker: str | None = None
    language: str | None = None
    speed: float | None = None
    seed: int | None = None


def read_table(file: Path) -> list[Row]:
    """Return the rows of a CSV file with a head.

    Raises:
        ValueError: A column is missing or unknown, a row is not complete, or two have one file.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"`{file}` must be UTF-8, but byte {error.start} is not.") from None
    reader = csv.DictReader(text.splitlines())
    head = reader.fieldnames or ()
    unknown = [name for name in head if name not in COLUMNS]
    if unknown or not {"out", "text"} <= set(head):
        wrong = f"the columns {', '.join(map(repr, unknown))}" if unknown else "no column for both"
        raise ValueError(
            f"`{file}` has {wrong}; it needs `out` and `text`, and may have "
            f"{', '.join(f'`{name}`' for name in COLUMNS[2:])}."
        )
    rows = [_row(file, reader.line_num, each) for each in reader]
    names = [row.out for row in rows]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"`{file}` has `{twice}` twice; each row writes a file of its own.")
    if not rows:
        raise ValueError(f"`{file}` has no row; write one a text.")
    return rows


def _row(file: Path, line: int, cells: dict[str, str]) -> Row:
    given = {name: value for name, value in cells.items() if name in COLUMNS and value}
    where = f"`{file}`, line {line},"
    if None in cells or not {"out", "text"} <= set(given):
        raise ValueError(f"{where} must have a file and a text, and no more cells than the head.")
    if Path(given["out"]).name != given["out"]:
        raise ValueError(f"{where} must have a plain file name, not {given['out']!r}.")
    try:
        speed = float(given["speed"]) if "speed" in given else None
        seed = int(given["seed"]) if "seed" in given else None
    except ValueError:
        raise ValueError(f"{where} must have numbers for `speed` and `seed`.") from None
    return Row(
        line, given["out"], given["text"], given.get("speaker"), given.get("language"), speed, seed
    )
