"""Files that are made for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console


def plain_console() -> Console:
    """Return a console that prints paths and labels as they are: ``[/x]`` is a name, not markup."""
    return Console(markup=False, emoji=False)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON; NaN and infinity are refused, since JSON has neither."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
