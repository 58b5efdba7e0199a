"""How commands print."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from kokoro_core.spec.problems import printable

_UNPRINTABLE = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""What JSON lets stand in a text although a terminal acts on it."""


def print_json(value: Any) -> None:
    """Print a value as JSON, on a terminal as harmless as in a file."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    print(_UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text))


def print_error(line: str) -> None:
    """Print a line to standard error."""
    print(printable(line), file=sys.stderr)


def print_note(line: str) -> None:
    """Print what the user should know of a spec to standard error."""
    print_error(f"note: {line}")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under headings; what is None is left empty."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(
            *(Text("" if cell is None else printable(str(cell), keep="\n")) for cell in row)
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def print_yaml(value: Any, stream: TextIO | None = None) -> None:
    """Print a value as YAML, to standard output unless another stream is given."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(value, stream or sys.stdout)
