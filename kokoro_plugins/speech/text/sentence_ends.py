"""Where the sentences of a text end; what is spoken at once is neither cut short nor too long."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from kokoro_core.speaking.parts import masked, parts_of, with_words

LONGEST = 150
"""Characters, ten seconds of speech: a longer sentence is spoken in parts, from mark to mark."""

_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_BETWEEN_QUOTATIONS = re.compile(r"(?<=[.?!…][\"”] )(?=[\"“])")

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
                sentences += parts_of(each, LONGEST)
    return with_words(sentences)


def _paragraphs(text: str) -> Iterator[str]:
    start = 0
    for found in _PARAGRAPH_END.finditer(text):
        yield text[start : found.end()]
        start = found.end()
    yield text[start:]


def _sentences(paragraph: str, language: str) -> Iterator[str]:
    """Yield the sentences of a paragraph, whose lines may break anywhere."""
    flat = re.sub(r"\s", " ", masked(paragraph))
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
