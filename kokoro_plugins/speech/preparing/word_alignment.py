"""From aligned words to the phonemes of a frontend, which may be other ones than the aligner's.

Words are found in the text, the frontend says which word each of its phonemes belongs to, and in a
word the phonemes take the places of the phones: one each where there are as many, else evenly.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from kokoro_plugins.speech.alignment import Segment, has_sound
from kokoro_plugins.speech.preparing.textgrids import AlignedWord
from kokoro_plugins.speech.vocabulary import STRESSES

UNKNOWN = "<unk>"
"""What MFA writes for a word that it does not know."""

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


class OtherText(ValueError):
    """A text is not the one that was aligned."""


def segments_of(
    words: Sequence[AlignedWord],
    text: str,
    symbols: Sequence[str],
    positions: Sequence[int] | None,
    sample_rate: int,
) -> list[Segment]:
    """Return the phonemes of a text with the sample at which each begins.

    Args:
        words: In order, at least one.
        text: What was aligned.
        symbols: Its phonemes by the frontend.
        positions: Where the word of each begins; None: unknown, so all words are taken as one.
        sample_rate: Of the samples.

    Raises:
        OtherText: The words are not those of the text.
    """
    starts = places_of(words, unicodedata.normalize("NFC", text))
    units = list(_units(symbols))
    places = [0 if positions is None else positions[index] for index, _ in units]
    owners = [max(0, bisect_right(starts, place) - 1) for place in places]
    if positions is None:
        owners = [0] * len(units)
    sounds = [owner for owner, (_, unit) in zip(owners, units, strict=True) if has_sound(unit)]
    spans = {
        owner: iter(_spans(bounds, Counter(sounds)[owner]))
        for owner, bounds in _bounds(words, set(sounds)).items()
    }
    segments, before = list[Segment](), 0.0
    for owner, (_, unit) in zip(owners, units, strict=True):
        start = before  # of a pause: where the word before it ends
        if has_sound(unit):
            start, before = next(spans[owner])
        segments.append(Segment(unit, round(start * sample_rate)))
    return segments


def places_of(words: Sequence[AlignedWord], text: str) -> list[int]:
    """Return where each word stands in a text.

    Raises:
        OtherText: A word is not the next one of the text, or the text goes on after the last.
    """
    starts, cursor, lower = list[int](), 0, text.lower()
    for word in words:
        following = _WORD.search(lower, cursor)
        wanted = word.text.lower()
        if following is None or not (
            wanted == UNKNOWN or lower.startswith(wanted, following.start())
        ):
            found = "ends" if following is None else f"has {following.group()!r}"
            raise OtherText(f"its alignment has the word {word.text!r} where the text {found}")
        starts.append(following.start())
        cursor = following.end() if wanted == UNKNOWN else following.start() + len(wanted)
    if (more := _WORD.search(lower, cursor)) is not None:
        raise OtherText(f"the text goes on with {more.group()!r} after the last aligned word")
    return starts


def _units(symbols: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield sounds with the stress marks before them, and pauses, each with its place."""
    begun = list[str]()
    for index, symbol in enumerate(symbols):
        begun.append(symbol)
        if symbol not in STRESSES:
            yield index, tuple(begun)
            begun = []


def _bounds(words: Sequence[AlignedWord], owners: Collection[int]) -> Mapping[int, list[float]]:
    """Return the bounds of phones of each word that owns sounds.

    A word without sounds, such as one that is spoken together with its neighbour, gives its phones
    to the owner before it, or to the first.
    """
    bounds = {owner: list[float]() for owner in sorted(owners)}
    current = min(owners)
    for index, word in enumerate(words):
        current = index if index in bounds else current
        bounds[current] = [*bounds[current][:-1], *word.bounds]
    return bounds


def _spans(bounds: Sequence[float], count: int) -> Iterator[tuple[float, float]]:
    """Yield where each of so many sounds begins and ends among the bounds of phones."""
    places = np.linspace(0, len(bounds) - 1, count + 1)
    moments = np.interp(places, np.arange(len(bounds)), bounds).tolist()
    yield from itertools.pairwise(moments)
