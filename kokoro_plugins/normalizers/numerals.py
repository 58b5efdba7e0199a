"""Roman numerals: after a ruler's name an ordinal, elsewhere a number."""

from __future__ import annotations

import re

from kokoro_plugins.normalizers.numbers import cardinal, ordinal, roman
from kokoro_plugins.normalizers.rule import Rule

_RULERS = (
    "Adrian Albert Alexander Alexandra Alfonso Benedict Boniface Carol Catherine Charles Christian "
    "Clement Constantine Edward Elizabeth Ferdinand Francis Franz Frederick Friedrich George "
    "Gregory Gustav Harald Henry Innocent Isabella Ivan James Joan John Joseph Juan Julius Karl "
    "Leo Leopold Louis Ludwig Margaret Martin Mary Matilda Maximilian Mehmed Mohammed Murad "
    "Napoleon Nicholas Otto Paul Pedro Peter Philip Pius Ptolemy Ramesses Rameses Richard Robert "
    "Rudolf Sixtus Stephen Theodore Urban Victor Victoria Wilhelm William Xerxes Darius"
).replace(" ", "|")

_KEYWORDS = (
    "Act Appendix Apollo Article Band Book Bowl Canto Chapter Class Division Exhibit Figure Grade "
    "Lesson Level Mark Part Phase Scene Section Stage Table Title Type Unit Vol Volume War"
).replace(" ", "|")
"""What is counted in Roman numerals."""

_NUMERAL = r"[IVXLCDM]+"


def _counted(found: re.Match[str]) -> str | None:
    number = roman(found[2])
    return None if number is None else found[1] + cardinal(number)


def _of_ruler(found: re.Match[str]) -> str | None:
    number = roman(found[2])
    return None if number is None else f"{found[1]}the {ordinal(number)}"


def _alone(found: re.Match[str]) -> str | None:
    number = roman(found[0])
    return None if number is None else cardinal(number)


NUMERALS = (
    Rule.of(rf"\b((?:{_KEYWORDS})\s+)({_NUMERAL})\b", _counted),
    # "Part I", but not "King George I think": a single letter is a numeral after rare words alone.
    Rule.of(rf"\b((?:{_RULERS})\s+)([IVXLC]{{2,}}|V)\b", _of_ruler),
    Rule.of(r"\b((?:King|Queen|Pope|Tsar|Emperor)\s+\w+\s+)(I)\b(?!['’\s]\s?\w)", _of_ruler),
    Rule.of(r"\b[IVX]{2,}\b", _alone),
)
