"""Where the sentences of a text end; what is spoken at once is neither cut short nor too long."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

LONGEST = 150
"""Characters, ten seconds of speech: a longer sentence is spoken in parts, from mark to mark."""

_GIVEN = re.compile(r"\[\[.*?\]\]", re.DOTALL)
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_BETWEEN_QUOTATIONS = re.compile(r"(?<=[.?!…][\"”] )(?=[\"“])")
_CLAUSE = re.compile(r"[,;:—–]\s+")
_BLANK = re.compile(r"\s+")

_KNOWN = "am ar bg da de el en es fa fr hi hy it ja kk mr my nl pl ru sk ur zh"
"""The languages whose abbreviations pysbd knows."""


def split_sentences(text: str, language: str) -> list[str]:
    """Return the sentences of a text, with what is between them; together they are the text.

    Args:
        text: In any number of paragraphs, between which a blank line is.
        language: By code, without a region.
    """
    sentences: list[str] = []
    for paragraph in _paragraphs(text):
        for sentence in _sentences(paragraph, "zh" if language in ("cmn", "yue") else language):
            for each in _BETWEEN_QUOTATIONS.split(sentence):
                sentences += _parts(each)
    return _with_words(sentences)


def _paragraphs(text: str) -> Iterator[str]:
    start = 0
    for found in _PARAGRAPH_END.finditer(text):
        yield text[start : found.end()]
        start = found.end()
    yield text[start:]


def _sentences(paragraph: str, language: str) -> Iterator[str]:
    """Yield the sentences of a paragraph, whose lines may break anywhere."""
    flat = re.sub(r"\s", " ", _GIVEN.sub(lambda found: "x" * len(found.group()), paragraph))
    start = 0
    for each in _segmenter(language).segment(flat)[:-1] if flat.strip() else ():
        end = flat.find(each.strip(), start)
        if end < 0 or not each.strip():
            continue
        end += len(each.strip())
        end += len(flat[end:]) - len(flat[end:].lstrip())
        yield paragraph[start:end]
        start = end
    yield paragraph[start:]


@lru_cache
def _segmenter(language: str) -> Any:
    with warnings.catch_warnings():
        # It has escapes in patterns that later versions of Python warn of.
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        import pysbd

    return pysbd.Segmenter(language=language if language in _KNOWN.split() else "en", clean=False)


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


def _with_words(sentences: list[str]) -> list[str]:
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
