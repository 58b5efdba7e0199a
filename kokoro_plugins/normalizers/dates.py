"""Years, decades, dates and times of day, in the order of the United States."""

from __future__ import annotations

import re

from kokoro_plugins.normalizers.abbreviations import MONTHS
from kokoro_plugins.normalizers.numbers import cardinal, ordinal, plural, year
from kokoro_plugins.normalizers.rule import Rule

_MONTH = "|".join(MONTHS)
_YEAR = r"1[0-9]\d\d|20\d\d"
_ERA = r"(BCE|BC|CE|AD)\b"


def _is_date(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= 31


def _date(month: int, day: int, of_year: str | None) -> str:
    spoken = f"{MONTHS[month - 1]} {ordinal(day)}"
    return spoken if of_year is None else f"{spoken}, {year(int(of_year))}"


def _by_numbers(found: re.Match[str]) -> str | None:
    """Return a date written in numbers, the month first unless only the day can be."""
    month, day = int(found["month"]), int(found["day"])
    if not _is_date(month, day):
        month, day = day, month
    return _date(month, day, found["year"]) if _is_date(month, day) else None


def _with_month(found: re.Match[str]) -> str | None:
    day = int(found["day"])
    if not 1 <= day <= 31:
        return None
    return _date(MONTHS.index(found["month"]) + 1, day, found["year"])


def _day_first(found: re.Match[str]) -> str | None:
    day = int(found["day"])
    if not 1 <= day <= 31:
        return None
    of_year = "" if found["year"] is None else f" {year(int(found['year']))}"
    return f"{found['the'] or 'the'} {ordinal(day)} of {found['month']}{of_year}"


def _decade(found: re.Match[str]) -> str:
    number = int(found["decade"])
    spoken = year(number) if number >= 100 else cardinal(number)
    return plural(spoken)


def _time(found: re.Match[str]) -> str | None:
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    if hour > 24 or minute > 59:
        return None
    half = f" {found['half'].upper()} M" if found["half"] else ""
    end = "." if found["half"] and found["end"] is not None else ""
    if minute == 0:
        spoken = cardinal(hour)
        return spoken + (half or " o'clock") + end + (found["end"] or "")
    minutes = f"oh {cardinal(minute)}" if minute < 10 else cardinal(minute)
    return f"{cardinal(hour)} {minutes}{half}{end}{found['end'] or ''}"


def _span(found: re.Match[str]) -> str:
    """Return hours, minutes and seconds."""
    parts = zip(("hour", "minute", "second"), map(int, found.groups()), strict=True)
    said = [f"{cardinal(n)} {name}{'s' * (n != 1)}" for name, n in parts if n]
    return ", ".join(said[:-1]) + " and " + said[-1] if len(said) > 1 else "".join(said)


_HALF = r"(?P<half>[aApP])(?:\.\s?[mM]\.(?P<end>[\"'”’)]*\s*$)?|[mM]\b)"
"""``a.m.`` and its like, whose full stop is also a sentence's where nothing comes after it."""

TIMES = (
    Rule.of(r"(?<![\w:.])(\d{1,2}):([0-5]\d):([0-5]\d)(?![\w:])", _span),
    Rule.of(rf"(?<![\w:.])(?P<hour>\d{{1,2}})(?::(?P<minute>[0-5]\d))?\s?{_HALF}", _time),
    Rule.of(
        r"(?<![\w:.])(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?![\w:])(?P<half>(?!))?(?P<end>(?!))?",
        _time,
    ),
    Rule.of(r"(?<= [AP] M)\s?[-–]\s?(?=\w)", " to "),
)

DATES = (
    Rule.of(r"\b(?P<year>\d{4})-(?P<month>[01]\d)-(?P<day>[0-3]\d)\b", _by_numbers),
    Rule.of(rf"\b(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}})/(?P<year>{_YEAR})\b", _by_numbers),
    Rule.of(
        rf"\b(?P<month>{_MONTH})\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])"
        rf"(?:,?\s+(?P<year>{_YEAR})\b)?",
        _with_month,
    ),
    Rule.of(
        rf"(?:\b(?P<the>[Tt]he)\s+)?\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{_MONTH})\b"
        rf"(?:,?\s+(?P<year>{_YEAR})\b)?",
        _day_first,
    ),
)

YEARS = (
    Rule.of(r"(?<![\w.,])['’]?(?P<decade>(?:1\d|20)?\d0)['’]?s\b", _decade),
    Rule.of(
        rf"(?<![\w.,$-])({_YEAR})\s?[-–—]\s?({_YEAR})(?![\w-]|[.,]\d)",
        lambda found: f"{year(int(found[1]))} to {year(int(found[2]))}",
    ),
    Rule.of(
        rf"(?<![\w.,$-])({_YEAR})[-–](\d\d)(?![\w-]|[.,]\d)",
        lambda found: f"{year(int(found[1]))} to {cardinal(int(found[2]))}",
    ),
    Rule.of(
        rf"(?<![\w.,-])(\d{{1,4}})\s+{_ERA}",
        lambda found: f"{year(int(found[1]))} {' '.join(found[2])}",
    ),
    Rule.of(r"\bAD\s+(\d{1,4})\b", lambda found: f"A D {year(int(found[1]))}"),
    Rule.of(
        rf"(?<![\w.,:/+×=-])({_YEAR})(?!\w|[.,:/]\d|-\d|\s?[%°+=×])",
        lambda found: year(int(found[1])),
    ),
)
