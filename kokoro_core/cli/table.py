"""Tables for terminals of any width: a word, a path above all, is never broken."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from registry.text import printable

_PIPED_WIDTH = 160
"""Columns without a terminal; more if a word is longer."""

_GAP = 2

Rows = Sequence[Sequence[str]]


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under headings, or as blocks of lines if a word would not fit.

    None gives an empty cell. The width is that of the terminal, or of ``COLUMNS``.
    """
    cells = [[_text(each) for each in row] for row in rows]
    room = shutil.get_terminal_size((0, 0)).columns
    widths = _widths([columns, *cells], room or _PIPED_WIDTH)
    if widths is None and not room:
        widths = _least([columns, *cells])
    if widths is None:
        _print_blocks(columns, cells, room)
    else:
        _print_columns(columns, cells, widths)


def _text(cell: Any) -> str:
    return "" if cell is None else printable(str(cell), keep="\n")


def _widths(rows: Rows, room: int) -> list[int] | None:
    """Return the column widths, reducing the widest to fit; None if words do not fit."""
    least = _least(rows)
    widths = [max(map(_length, column)) for column in zip(*rows, strict=True)]
    excess = sum(widths) + _GAP * (len(widths) - 1) - room
    if excess > 0 and sum(least) + _GAP * (len(least) - 1) > room:
        return None
    for _ in range(max(excess, 0)):
        spare = [width if width > low else 0 for width, low in zip(widths, least, strict=True)]
        widths[spare.index(max(spare))] -= 1
    return widths


def _least(rows: Rows) -> list[int]:
    """Return the length of the longest word of each column."""
    return [
        max((_length(word) for cell in column for word in cell.split()), default=1)
        for column in zip(*rows, strict=True)
    ]


def _length(text: str) -> int:
    """Return the width of the longest line of a text."""
    from rich.cells import cell_len

    return max(map(cell_len, text.split("\n")))


def _print_columns(columns: Sequence[str], rows: Rows, widths: Sequence[int]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    padding = (0, _GAP, 0, 0)
    table = Table(box=None, pad_edge=False, padding=padding, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        table.add_column(column, width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=sum(widths) + _GAP * len(widths)).print(table)


def _print_blocks(columns: Sequence[str], rows: Rows, room: int) -> None:
    """Print one line per non-empty cell, preceded by its heading."""
    indent = " " * (max(map(len, columns)) + _GAP)
    for row in rows:
        for column, cell in zip(columns, row, strict=True):
            wrapped = textwrap.wrap(
                cell,
                max(room, len(indent) + 1),
                initial_indent=column.ljust(len(indent)),
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
            print("".join(f"{line}\n" for line in wrapped), end="")
        print()
