"""JSON that is unambiguous to every reader: no duplicate keys, no NaN."""

from __future__ import annotations

import json
from typing import Any


def parse_strictly(text: str) -> Any:
    """Return the values of a JSON text.

    Raises:
        ValueError: It is not JSON, or has a duplicate key or a constant that is not JSON.
        RecursionError: It is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands in it twice")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
