"""How many utterances of a corpus are held out: training leaves out those that are measured on."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Collection

HOLDOUT = 10
"""Utterances that are held out where neither the caller nor the corpus says how many."""


def held_out_count(asked: int | None, set_aside: int | None) -> int:
    """Return how many utterances of a corpus, the last ones, are held out.

    Args:
        asked: What the caller says; None: nothing.
        set_aside: What the corpus says; None: nothing.
    """
    if asked is not None:
        return asked
    return HOLDOUT if set_aside is None else set_aside


SHARE, MOST_HELD_OUT = 0.05, 100
"""Of all utterances, held out by their names where nobody says how many; more are not."""


def held_out_by_name(names: Collection[str], count: int | None) -> set[str]:
    """Return the names with the least SHA-256.

    A name keeps its place when others come or go, so a corpus that grows holds out what it did.

    Args:
        names: Of all utterances.
        count: How many; None: one in twenty, at least one and at most `MOST_HELD_OUT`.

    Raises:
        ValueError: None would be left to train on.
    """
    if count is None:
        count = min(MOST_HELD_OUT, max(1, round(SHARE * len(names)))) if len(names) > 1 else 0
    if count >= len(names):
        raise ValueError(
            f"`holdout` of {count} leaves none of {len(names)} utterances to train on; hold out "
            f"{len(names) - 1} or fewer."
        )
    return set(heapq.nsmallest(count, names, key=_digest))


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
