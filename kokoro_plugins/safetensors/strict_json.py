"""JSON that means one thing to every reader: no key twice, no NaN."""

from __future__ import annotations

import json
from typing import Any


def parse_strictly(text: str) -> Any:
    """Return the values of a JSON text.

    Raises:
        ValueError: It is not JSON, has a key twice, or a constant that JSON has not.
        RecursionError: It is nested too deep.
    """
    return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key stands in it twice")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
