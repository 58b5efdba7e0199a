"""A report as a table for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import StringIO
from typing import Any

from rich.box import ASCII_DOUBLE_HEAD, SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kokoro_core.cli.toolkit import is_unicode

MEBIBYTE = 1024 * 1024
WIDTH = 200
"""More than the columns need: rich cuts off what does not fit."""

_TIMES = ("\nCalls", "Total\nms", "Mean\nms", "Self\nms", "Self\n%")
_MEMORY = ("Left\nMiB", "Peak\nMiB", "Reserved\nMiB", "Saved\nMiB")


def render(report: Mapping[str, Any]) -> str:
    """Return the report as text, without colours, a row an entry point."""
    console = Console(file=StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(_table(report))
        console.print(_explanation(report), highlight=False)
    return capture.get()


def memory_line(memory: Mapping[str, Any]) -> str:
    """Return what is allocated, the peak and what is reserved in words."""
    parts = ("allocated", "peak", "reserved")
    return ", ".join(f"{_mebibytes(memory[f'{part}_bytes'])} MiB {part}" for part in parts)


def _mebibytes(number: int) -> str:
    return f"{number / MEBIBYTE:,.1f}"


def _table(report: Mapping[str, Any]) -> Table:
    box = SIMPLE_HEAD if is_unicode(sys.stdout) else ASCII_DOUBLE_HEAD
    table = Table(box=box, pad_edge=False)
    for name in ("\nSlot", "\nEntry point"):
        table.add_column(name, no_wrap=True)
    for name in (*_TIMES, *_MEMORY):
        table.add_column(name, justify="right")
    whole = sum(row["self_s"] for row in report["rows"])
    for row in report["rows"]:
        table.add_row(*_cells(row, whole))
    return table


def _cells(row: Mapping[str, Any], whole: float) -> list[str]:
    recomputed = " (recomputed)" if row["recomputed"] else ""
    times = [f"{row[key] * 1000:,.2f}" for key in ("total_s", "mean_s", "self_s")]
    share = f"{100 * row['self_s'] / whole:.1f}" if whole else "–"
    memory = [row[key] for key in ("left_bytes", "peak_bytes", "reserved_bytes", "saved_bytes")]
    return [
        row["slot"],
        row["entry_point"] + recomputed,
        str(row["calls"]),
        *times,
        share,
        *("–" if each is None else _mebibytes(each) for each in memory),
    ]


def _explanation(report: Mapping[str, Any]) -> str:
    return (
        f"On {report['device']}: {memory_line(report['memory'])} now.\n"
        f"Time: {report['clock']}; self: less what other rows have measured inside.\n"
        f"Left: the most that one call left allocated. Peak: {report['peak_is']}.\n"
        "Saved: kept for the backward pass, less what is in other rows."
    )
