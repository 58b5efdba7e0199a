"""How many utterances of a corpus are held out: training leaves out those that are measured on."""

from __future__ import annotations

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
