"""Canonical JSON: equal values give equal text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kokoro_core.errors import CheckpointError


def canonical_json(values: Mapping[str, Any], subject: str = "values") -> str:
    """Return the canonical text of these values: sorted keys, no spaces, ASCII.

    Args:
        values: JSON values: no tuples, no NaN, no keys other than strings.
        subject: The name of the values in errors.

    Raises:
        CheckpointError: The values would change when read back.
    """
    try:
        text = json.dumps(dict(values), sort_keys=True, separators=(",", ":"), allow_nan=False)
        again = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"`{subject}` must hold only values that JSON has, and this is not one: {error}."
        ) from error
    change = _first_change(dict(values), again, subject)
    if change is not None:
        raise CheckpointError(
            f"`{subject}` must hold only values that JSON has: lists instead of tuples, and keys "
            f"that are strings; {change} would change."
        )
    return text


def _first_change(before: Any, after: Any, path: str) -> str | None:
    """Return the first place where a value changed in a JSON round trip, including its type."""
    if isinstance(before, Mapping) and isinstance(after, dict) and set(before) == set(after):
        changes = (_first_change(before[key], after[key], f"{path}.{key}") for key in before)
    elif isinstance(before, list) and isinstance(after, list):
        pairs = zip(before, after, strict=True)
        changes = (_first_change(*pair, f"{path}[{i}]") for i, pair in enumerate(pairs))
    elif type(before) is type(after) and before == after:
        return None
    else:
        return f"`{path}` = {before!r}"
    return next((each for each in changes if each is not None), None)
