"""Sentences in parts that are not too long, for frontends; together the parts are the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_GIVEN = re.compile(r"\[\[.*?\]\]", re.DOTALL)
_CLAUSE = re.compile(r"[,;:—–]\s+")
_BLANK = re.compile(r"\s+")


def masked(text: str) -> str:
    """Return a text of the same length whose phonemes in double brackets are no marks."""
    return _GIVEN.sub(lambda found: "x" * len(found.group()), text)


def parts_of(sentence: str, longest: int) -> Iterator[str]:
    """Yield a sentence in parts, cut near the middle of what is too long, at marks or at blanks.

    Args:
        sentence: With the blanks behind it.
        longest: Characters of a part, blanks around it not counted; a longer word stays whole.
    """
    if len(sentence.strip()) <= longest:
        yield sentence
        return
    plain = masked(sentence)
    for mark in (_CLAUSE, _BLANK):
        ends = [found.end() for found in mark.finditer(plain) if plain[found.end() :].strip()]
        if ends:
            cut = min(ends, key=lambda end: abs(end - len(sentence) / 2))
            yield from parts_of(sentence[:cut], longest)
            yield from parts_of(sentence[cut:], longest)
            return
    yield sentence


def with_words(sentences: Iterable[str]) -> list[str]:
    """Return sentences with those that have no word, or begin with a mark, joined to others."""
    joined: list[str] = []
    for each in sentences:
        goes_on = each.lstrip()[:1] in tuple(",;:)")
        if joined and (goes_on or not (_has_word(each) and _has_word(joined[-1]))):
            joined[-1] += each
        else:
            joined.append(each)
    return joined


def _has_word(text: str) -> bool:
    return any(each.isalnum() for each in text)
