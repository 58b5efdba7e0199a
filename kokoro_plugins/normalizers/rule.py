"""A rule: what it finds, and the words for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Rule:
    """What is written in one way and read in another.

    Attributes:
        pattern: What it finds.
        words: Returns what is read instead; None: it stays as it is.
    """

    pattern: re.Pattern[str]
    words: Callable[[re.Match[str]], str | None]

    @classmethod
    def of(cls, pattern: str, words: Callable[[re.Match[str]], str | None] | str) -> Self:
        """Return the rule of a pattern and a function, or a template as of `re.Match.expand`."""
        if isinstance(words, str):
            template = words
            return cls(re.compile(pattern), lambda found: found.expand(template))
        return cls(re.compile(pattern), words)

    def apply(self, text: str) -> str:
        """Return the text with its words in place of what was found."""
        return self.pattern.sub(self._replacement, text)

    def _replacement(self, found: re.Match[str]) -> str:
        words = self.words(found)
        return found.group() if words is None else words


def apply_all(rules: Iterable[Rule], text: str) -> str:
    """Return a text after all rules, one after the other."""
    for rule in rules:
        text = rule.apply(text)
    return text
