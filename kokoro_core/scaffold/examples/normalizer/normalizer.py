"""`ExampleNormalizer`."""

from __future__ import annotations

import re
from typing import final

from kokoro_core.contracts import Normalizer

_DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_NUMBER = re.compile(r"\b[0-9]+\b")


@final
class ExampleNormalizer(Normalizer):
    """Writes numbers as their digits in words."""

    def normalize(self, text: str) -> str:
        """Return the text, its numbers in words."""
        return _NUMBER.sub(lambda found: _in_words(found[0]), text)


def _in_words(number: str) -> str:
    return " ".join(_DIGITS[int(digit)] for digit in number)
