"""Which utterances are held out: by a hash of their names, so that the choice stays."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

from kokoro_plugins.speech.preparing.prepared import Prepared
from kokoro_plugins.speech.preparing.settings import MOST_HELD_OUT

SHARE = 0.05
"""Of all utterances, held out where nobody says how many."""

FEW, SHORT = 10, 30.0
"""Utterances and seconds below which figures of what is held out say little."""


def choose_held_out(names: Collection[str], count: int | None) -> set[str]:
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
    return set(sorted(names, key=_digest)[:count])


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def advice_on(
    utterances: Iterable[Prepared], held_out: Collection[str], seconds_per_frame: float
) -> Iterable[str]:
    """Yield a sentence for each thing that is odd about what is held out."""
    inside = [each for each in utterances if each.name in held_out]
    texts = {each.text for each in utterances if each.name not in held_out}
    seconds = sum(each.frames for each in inside) * seconds_per_frame
    if len(inside) < FEW or seconds < SHORT:
        yield (
            f"only {len(inside)} utterances of {seconds:.0f} s in all are held out, so figures of "
            f"them say little; `--holdout` takes another number, and {FEW} and {SHORT:.0f} s are "
            f"the least that is worth looking at"
        )
    if known := sum(each.text in texts for each in inside):
        yield (
            f"{known} of {len(inside)} utterances that are held out have a text that is trained "
            f"on too, so they do not show how new sentences sound"
        )
