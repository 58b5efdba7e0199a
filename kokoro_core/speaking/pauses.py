"""How long it is quiet after a sentence, beside what its own last pause takes."""

from __future__ import annotations

import re

PARAGRAPH, SENTENCE, CLAUSE = 0.6, 0.25, 0.1
"""Seconds after a blank line, a full stop or its like, and where a sentence was cut in two."""

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*$")
_ENDING = re.compile(r"[.?!…。！？।۔][\"'”’»)\]]*\s*$")


def pause_after(sentence: str) -> float:
    """Return the seconds of silence after a sentence that is written with the blanks behind it."""
    if _BLANK_LINE.search(sentence):
        return PARAGRAPH
    return SENTENCE if _ENDING.search(sentence) else CLAUSE
