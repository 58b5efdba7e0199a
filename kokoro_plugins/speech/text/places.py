"""Where in the text that was given a place in the text that is read comes from."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher


def places_in(written: str, spoken: str) -> Callable[[int], int]:
    """Return what maps a place in the spoken text to the written one.

    Words that both have are mapped place by place; others to the beginnings of the written words
    that they stand for.
    """
    if written == spoken:
        return lambda place: place
    starts, origins, lengths = _matched(_words(written), _words(spoken), len(written))

    def place_of(place: int) -> int:
        at = bisect_right(starts, place) - 1
        if at < 0 or place >= len(spoken):
            return 0 if at < 0 else len(written)
        return origins[at] + min(place - starts[at], lengths[at])

    return place_of


def _words(text: str) -> list[tuple[int, str]]:
    return [(found.start(), found.group()) for found in re.finditer(r"\S+", text)]


def _matched(
    written: Sequence[tuple[int, str]], spoken: Sequence[tuple[int, str]], end: int
) -> tuple[list[int], list[int], list[int]]:
    """Return for each spoken word its start, that of its origin, and how far both are the same."""
    before, after = [word for _, word in written], [word for _, word in spoken]
    origins: list[int] = []
    lengths: list[int] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, first, past, start, stop in matcher.get_opcodes():
        for index in range(stop - start):
            # Words that were put in belong to the written one after them.
            at = min(first + index, max(first, past - 1))
            origins.append(written[at][0] if at < len(written) else end)
            lengths.append(len(after[start + index]) if tag == "equal" else 0)
    return [start for start, _ in spoken], origins, lengths
