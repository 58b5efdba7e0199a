"""Which symbols belong to which word of a text."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SpokenWord:
    """A word of a text, or a pause, and its symbols.

    Attributes:
        text: As it is written, with the marks around it; empty for a pause.
        first: The index of its first symbol.
        symbols: What is spoken.
    """

    text: str
    first: int
    symbols: tuple[str, ...]


def words_of(text: str, symbols: Sequence[str], positions: Sequence[int]) -> list[SpokenWord]:
    """Return the words of a text in order, pauses between them.

    Args:
        text: What was phonemized.
        symbols: What the frontend made of it.
        positions: Where in the text, in composed form, the word of each symbol begins.
    """
    written = unicodedata.normalize("NFC", text)
    words: list[SpokenWord] = []
    keys = _keys(symbols, positions)
    for (place, pause), group in itertools.groupby(range(len(keys)), key=lambda index: keys[index]):
        indices = list(group)
        word = "" if pause else _word_at(written, place)
        words.append(SpokenWord(word, indices[0], tuple(symbols[index] for index in indices)))
    return words


def _keys(symbols: Sequence[str], positions: Sequence[int]) -> list[tuple[int, bool]]:
    """Return for each symbol its place, and whether it is a pause between two words.

    A pause within a word, as in an amount of dollars and cents, is a part of it.
    """
    keys = [(place, is_pause(each)) for each, place in zip(symbols, positions, strict=True)]
    sounds = [index for index, (_, pause) in enumerate(keys) if not pause]
    for before, after in itertools.pairwise(sounds):
        if keys[before][0] == keys[after][0]:
            keys[before:after] = [keys[before]] * (after - before)
    return keys


def _word_at(text: str, place: int) -> str:
    """Return what stands between blanks, or double brackets with the blanks in them."""
    found = re.compile(r"(?:\[\[.*?\]\]|\S)+", re.DOTALL).match(text, place)
    return found.group() if found else ""


def is_pause(symbol: str) -> bool:
    """Return whether a symbol is a mark and no sound; stress marks are letters to Unicode."""
    return not any(each.isalpha() for each in symbol)
