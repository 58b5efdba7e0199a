"""Pieces of HTML; whatever text goes in is shown as it is, and is never markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table.

    Args:
        head: The names of the columns.
        rows: The cells of each row.
    """
    lines = (f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def unfolding(summary: str, inside: str) -> str:
    """Return a line that unfolds what is inside.

    Args:
        summary: The line.
        inside: HTML.
    """
    return (
        f"<details><summary>{escape(summary)}</summary>"
        f'<div style="overflow-x: auto">{inside}</div></details>'
    )


def paragraph(text: str, *, strong: bool = False) -> str:
    """Return a paragraph.

    Args:
        text: What it says.
        strong: Whether it is bold.
    """
    return f"<p><b>{escape(text)}</b></p>" if strong else f"<p>{escape(text)}</p>"
