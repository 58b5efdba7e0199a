"""A text as the sentences that a frontend reads."""

from __future__ import annotations

import itertools
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from kokoro_core.contracts.speech import Frontend
from kokoro_core.errors import FrontendWarning

_ENDS = frozenset(".?!")
"""The pauses after which phonemes that are given are spoken anew."""


@dataclass(frozen=True)
class Reading:
    """A sentence as a frontend reads it.

    Attributes:
        text: In composed form, with the blanks after it.
        symbols: What is spoken.
        indices: Of the symbols.
        positions: Where in the text the word of each symbol begins, or None if unknown.
        notes: The frontend's warnings.
    """

    text: str
    symbols: list[str]
    indices: list[int]
    positions: list[int] | None
    notes: tuple[str, ...]


def readings_of(frontend: Frontend, text: str) -> Iterator[Reading]:
    """Yield the sentences of a text as a frontend reads them.

    Raises:
        FrontendError: The text contains nothing to speak, or something without a symbol.
    """
    for sentence in frontend.sentences(text):
        written = unicodedata.normalize("NFC", sentence)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FrontendWarning)
            symbols = frontend.phonemize(written)
        notes: list[str] = []
        for each in caught:
            if issubclass(each.category, FrontendWarning):
                notes.append(str(each.message))
            else:
                warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        indices, positions = frontend.indices(symbols), frontend.positions(written)
        yield Reading(written, symbols, indices, positions, tuple(notes))


def given_readings(frontend: Frontend, text: str) -> Iterator[Reading]:
    """Yield phonemes that are given, from one end of a sentence to the next.

    Raises:
        ValueError: There are none.
        FrontendError: One is not among the symbols of the frontend.
    """
    symbols = text.split()
    if not symbols:
        raise ValueError("`text` is empty; write symbols with blanks between them.")
    frontend.indices(symbols)
    ends = [place + 1 for place, each in enumerate(symbols) if each in _ENDS]
    bounds = sorted({0, *ends, len(symbols)})
    for start, end in itertools.pairwise(bounds):
        part = symbols[start:end]
        yield Reading(" ".join(part), part, frontend.indices(part), None, ())
