"""Abbreviations of English: titles, streets, months, units of text, and what stands for a word."""

from __future__ import annotations

import re

from kokoro_plugins.normalizers.rule import Rule

_TITLES = {
    "Mr": "Mister",
    "Mrs": "Misses",
    "Ms": "Miz",
    "Dr": "Doctor",
    "Prof": "Professor",
    "St": "Saint",
    "Gen": "General",
    "Col": "Colonel",
    "Maj": "Major",
    "Capt": "Captain",
    "Lt": "Lieutenant",
    "Sgt": "Sergeant",
    "Cpl": "Corporal",
    "Adm": "Admiral",
    "Gov": "Governor",
    "Sen": "Senator",
    "Rep": "Representative",
    "Rev": "Reverend",
    "Hon": "Honorable",
    "Pres": "President",
    "Mt": "Mount",
    "Ft": "Fort",
}
"""Before a name."""

_PLACES = {
    "St": "Street",
    "Ave": "Avenue",
    "Rd": "Road",
    "Blvd": "Boulevard",
    "Dr": "Drive",
    "Ln": "Lane",
    "Hwy": "Highway",
    "Sq": "Square",
    "Jr": "Junior",
    "Sr": "Senior",
    "Inc": "Incorporated",
    "Ltd": "Limited",
    "Corp": "Corporation",
    "Co": "Company",
    "Bros": "Brothers",
}
"""After a name."""

_BEFORE_NUMBERS = {
    "No": "number",
    "Nos": "numbers",
    "no": "number",
    "Fig": "figure",
    "fig": "figure",
    "Vol": "volume",
    "vol": "volume",
    "Ch": "chapter",
    "ch": "chapter",
    "Sec": "section",
    "sec": "section",
    "pp": "pages",
    "p": "page",
    "Eq": "equation",
    "Art": "article",
}

_ANYWHERE = {
    "vs": "versus",
    "etc": "et cetera",
    "approx": "approximately",
    "dept": "department",
    "Dept": "Department",
    "est": "established",
    "govt": "government",
    "Univ": "University",
    "misc": "miscellaneous",
    "al": "al",
}

_MONTHS = "January February March April May June July August September October November December"
MONTHS = _MONTHS.split()
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_SHORT_MONTHS = {name[:3]: name for name in MONTHS if name != "May"} | {"Sept": "September"}
_SHORT_DAYS = {name[:3]: name for name in _DAYS} | {
    "Tues": "Tuesday",
    "Wednes": "Wednesday",
    "Thur": "Thursday",
    "Thurs": "Thursday",
}


def _any_of(words: dict[str, str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


_END = r"\.(?P<end>[\"'”’)]*\s*$)?"
"""A full stop, which is also a sentence's where nothing but quotation marks comes after it."""


def _kept_stop(found: re.Match[str]) -> str:
    return "" if found["end"] is None else f".{found['end']}"


def spelled(letters: str) -> str:
    """Return letters as capitals that stand alone, which are read by their names."""
    return " ".join(each.upper() for each in letters if each.isalpha())


ABBREVIATIONS = (
    Rule.of(r"\be\.\s?g\.,?", "for example"),
    Rule.of(r"\bi\.\s?e\.,?", "that is"),
    Rule.of(r"\bPh\.?\s?D\b\.?(?=\s+\S)", "P H D"),
    Rule.of(rf"\b({_any_of(_TITLES)})\.(?=\s+[A-Z])", lambda found: _TITLES[found[1]]),
    Rule.of(
        rf"\b([A-Z]\w+,?\s+)({_any_of(_PLACES)}){_END}",
        lambda found: found[1] + _PLACES[found[2]] + _kept_stop(found),
    ),
    Rule.of(
        rf"\b({_any_of(_BEFORE_NUMBERS)})\.\s*(?=\d)",
        lambda found: f"{_BEFORE_NUMBERS[found[1]]} ",
    ),
    Rule.of(r"#(?=\d)", "number "),
    Rule.of(rf"\b({_any_of(_SHORT_MONTHS)})\.?(?=\s+\d)", lambda found: _SHORT_MONTHS[found[1]]),
    Rule.of(rf"\b({_any_of(_SHORT_DAYS)})\.", lambda found: _SHORT_DAYS[found[1]]),
    Rule.of(
        rf"\b({_any_of(_ANYWHERE)}){_END}",
        lambda found: _ANYWHERE[found[1]] + _kept_stop(found),
    ),
    Rule.of(r"\s&\s", " and "),
    Rule.of(r"\bw/o\b", "without"),
    Rule.of(r"\bw/(?=\s|[a-z])\s?", "with "),
    Rule.of(
        rf"\b((?:[A-Z]\.)+[A-Z]|(?:[a-z]\.){{2,}}[a-z]){_END}",
        lambda found: spelled(found[1]) + _kept_stop(found),
    ),
)
