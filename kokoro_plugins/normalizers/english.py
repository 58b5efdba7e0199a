"""The normalizer `english`: the words of English for what is written in signs."""

from __future__ import annotations

from typing import final

from kokoro_core.contracts import Normalizer
from kokoro_plugins.normalizers.abbreviations import ABBREVIATIONS
from kokoro_plugins.normalizers.dates import DATES, TIMES, YEARS
from kokoro_plugins.normalizers.measures import MEASURES
from kokoro_plugins.normalizers.money import MONEY
from kokoro_plugins.normalizers.numerals import NUMERALS
from kokoro_plugins.normalizers.plain import (
    ADDRESSES,
    NUMBERS,
    ORDINALS,
    RANGES,
    SIGNS,
    TELEPHONES,
)
from kokoro_plugins.normalizers.rule import apply_all

FIRST_RULES = (
    *(*ADDRESSES, *TIMES, *MONEY, *TELEPHONES, *NUMERALS, *ABBREVIATIONS, *DATES, *YEARS),
    *(*SIGNS, *MEASURES, *RANGES),
)
"""All but those for what is nothing but a number."""

RULES = (*FIRST_RULES, *ORDINALS, *NUMBERS)


@final
class English(Normalizer):
    """Rules for numbers, money, dates, times, units, Roman numerals and abbreviations.

    What a rule does not know stays as it is written. Numbers are read as in the United States.
    """

    def normalize(self, text: str) -> str:
        """Return the text in words."""
        return apply_all(RULES, text)
