"""Where the sentences of an English text end; what is too long is cut at marks or blanks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from kokoro_plugins.hibari import package

LONGEST = 140
"""Characters that are spoken at once: as many as the recordings of the corpus have at most."""

_GIVEN = re.compile(r"\[\[.*?\]\]", re.DOTALL)
_CLAUSE = re.compile(r"[,;:—–]\s+")
_BLANK = re.compile(r"\s+")


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text with the blanks between; together they are the text."""
    masked = _GIVEN.sub(lambda found: "x" * len(found.group()), text)
    ends = [*_starts(masked), len(text)]
    ends[0] = 0
    whole = [text[start:end] for start, end in pairwise(ends)]
    return [part for each in _with_words(whole) for part in _parts(each)]


def _starts(text: str) -> Iterator[int]:
    """Yield where each sentence begins."""
    place = 0
    # The package ends a sentence at each line; lines of a paragraph may break anywhere.
    flat = re.sub(r"(?<!\n)\n(?!\s*\n)", " ", text)
    for sentence in package.split_sentences(flat) or [flat]:
        place = flat.index(sentence, place)
        yield place
        place += len(sentence)


def _with_words(sentences: list[str]) -> list[str]:
    """Return sentences with those that have no word joined to the one before."""
    joined: list[str] = []
    for each in sentences:
        if joined and not any(character.isalnum() for character in each):
            joined[-1] += each
        else:
            joined.append(each)
    return joined


def _parts(sentence: str) -> Iterator[str]:
    """Yield a sentence in parts that are not too long, cut near the middle of what is."""
    if len(sentence.strip()) <= LONGEST:
        yield sentence
        return
    masked = _GIVEN.sub(lambda found: "x" * len(found.group()), sentence)
    for mark in (_CLAUSE, _BLANK):
        ends = [found.end() for found in mark.finditer(masked) if masked[found.end() :].strip()]
        if ends:
            cut = min(ends, key=lambda end: abs(end - len(sentence) / 2))
            yield from _parts(sentence[:cut])
            yield from _parts(sentence[cut:])
            return
    yield sentence
