"""Units, percent, degrees, fractions and feet: what stands behind a number."""

from __future__ import annotations

import re

from kokoro_plugins.normalizers.numbers import cardinal, decimal, ordinal
from kokoro_plugins.normalizers.rule import Rule

_UNITS = {
    "km": "kilometer",
    "m": "meter",
    "cm": "centimeter",
    "mm": "millimeter",
    "nm": "nanometer",
    "mi": "mile",
    "yd": "yard",
    "yds": "yard",
    "kg": "kilogram",
    "g": "gram",
    "mg": "milligram",
    "lb": "pound",
    "lbs": "pound",
    "oz": "ounce",
    "l": "liter",
    "L": "liter",
    "ml": "milliliter",
    "mL": "milliliter",
    "cl": "centiliter",
    "gal": "gallon",
    "tbsp": "tablespoon",
    "tsp": "teaspoon",
    "ha": "hectare",
    "min": "minute",
    "mins": "minute",
    "sec": "second",
    "hr": "hour",
    "hrs": "hour",
    "ms": "millisecond",
    "kB": "kilobyte",
    "KB": "kilobyte",
    "MB": "megabyte",
    "GB": "gigabyte",
    "TB": "terabyte",
    "W": "watt",
    "kW": "kilowatt",
    "MW": "megawatt",
    "V": "volt",
    "kWh": "kilowatt hour",
    "dB": "decibel",
    "px": "pixel",
}
"""Units by sign, which take an s where there are many."""

_INVARIABLE = {
    "Hz": "hertz",
    "kHz": "kilohertz",
    "MHz": "megahertz",
    "GHz": "gigahertz",
    "%": "percent",
}
_RATES = {
    "mph": "miles per hour",
    "km/h": "kilometers per hour",
    "kph": "kilometers per hour",
    "m/s": "meters per second",
    "km/s": "kilometers per second",
    "Mbps": "megabits per second",
    "°C": "degrees Celsius",
    "℃": "degrees Celsius",
    "°F": "degrees Fahrenheit",
    "℉": "degrees Fahrenheit",
    "°": "degrees",
    "ft": "feet",
    "psi": "pounds per square inch",
}
"""Plurals, whose first word is the one that a single one takes without its s."""

_COUNTED = "walk|run|race|drive|bulb|lamp|can|bag|bottle|box|rope|board|pole|wall|fence|limit"
"""Nouns before which a unit is an adjective: a sixty watt bulb."""

_ADJECTIVE = rf"(?=\s+(?:{_COUNTED})\b)"
_NUMBER = r"(?<![\w.,/:])(?P<number>[-−]?\d[\d,]*(?:\.\d+)?)(?<!,)"
_SINGLE = {"feet": "foot"}
_SPECIAL_FRACTIONS = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "⅛": "1/8"}


def _is_one(number: str) -> bool:
    return number.lstrip("-−") == "1"


def _signed(number: str) -> str:
    return f"minus {decimal(number[1:])}" if number[0] in "-−" else decimal(number)


def _unit(found: re.Match[str]) -> str:
    number, unit, power = found["number"], found["unit"], found["power"] or ""
    is_single = _is_one(number) or found["adjective"] is not None
    name = {"²": "square ", "³": "cubic "}.get(power, "")
    if unit in _UNITS:
        name += _UNITS[unit] + ("" if is_single else "s")
    else:
        first, _, rest = (_INVARIABLE | _RATES)[unit].partition(" ")
        if is_single and unit in _RATES:
            first = _SINGLE.get(first, first.removesuffix("s"))
        name += f"{first} {rest}".strip()
    return f"{_signed(number)} {name}"


def _fraction(found: re.Match[str]) -> str | None:
    whole, top, bottom = found["whole"], int(found["top"]), int(found["bottom"])
    if not (top < bottom <= 100 and bottom > 1):
        return None
    part = {2: "half", 4: "quarter"}.get(bottom, ordinal(bottom))
    words = f"{cardinal(top)} {'halves' if part == 'half' and top > 1 else part + 's' * (top > 1)}"
    if not whole:
        return words
    return f"{cardinal(int(whole))} and {'a half' if (top, bottom) == (1, 2) else words}"


def _spelled_out(found: re.Match[str]) -> str:
    whole = f"{found[1]} " if found[1] else ""
    return whole + _SPECIAL_FRACTIONS[found[2]]


def _feet(found: re.Match[str]) -> str:
    feet, inches = int(found[1]), found[2]
    return f"{cardinal(feet)} foot" + (f" {cardinal(int(inches))}" if inches else "")


_SIGNS = "|".join(map(re.escape, sorted(_UNITS | _INVARIABLE | _RATES, key=len, reverse=True)))

MEASURES = (
    Rule.of(r"(?<![\w.,])(\d{1,2})['′](?:(\d{1,2})[\"″])(?!\w)", _feet),
    Rule.of(rf"(?:(\d+)\s?)?([{''.join(_SPECIAL_FRACTIONS)}])", _spelled_out),
    Rule.of(
        r"(?<![\w.,/:$])(?:(?P<whole>\d+)\s+)?(?P<top>\d{1,2})/(?P<bottom>\d{1,3})(?![\w/]|[.,]\d)",
        _fraction,
    ),
    Rule.of(
        rf"{_NUMBER}(?:\s?|-)(?P<unit>{_SIGNS})(?P<power>[²³])?(?!\w|/\w)(?:\.(?=\s+[a-z]))?"
        rf"(?P<adjective>{_ADJECTIVE})?",
        _unit,
    ),
)
