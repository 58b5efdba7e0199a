"""English words of numbers, as Americans say them."""

from __future__ import annotations

_BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_SMALL = _BELOW_TWENTY.split()
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", " thousand", " million", " billion", " trillion", " quadrillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}

_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def cardinal(number: int) -> str:
    """Return a number in words; one of more than 18 digits is read digit by digit."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number >= 10**18:
        return digits(str(number))
    groups: list[str] = []
    for scale in _SCALES:
        number, group = divmod(number, 1000)
        if group:
            groups.insert(0, _below_thousand(group) + scale)
    return " ".join(groups) or "zero"


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_SMALL[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        words.append(_TENS[rest // 10 - 2])
        rest %= 10
    if rest:
        words.append(_SMALL[rest])
    return " ".join(words)


def ordinal(number: int) -> str:
    """Return "twenty first" for 21."""
    start, _, last = cardinal(number).rpartition(" ")
    ending = f"{last[:-1]}ieth" if last.endswith("y") else _ORDINALS.get(last, f"{last}th")
    return f"{start} {ending}".strip()


def digits(text: str) -> str:
    """Return each digit of a text as a word; whatever else is in it is left out."""
    return " ".join(_SMALL[int(each)] for each in text if each in "0123456789")


def decimal(text: str) -> str:
    """Return "three point one four" for ``3.14``; thousands may be grouped by commas."""
    whole, point, part = text.replace(",", "").partition(".")
    words = digits(whole) if len(whole) > 1 and whole[0] == "0" else cardinal(int(whole or "0"))
    return f"{words} point {digits(part)}" if point and part else words


def year(number: int) -> str:
    """Return "nineteen eighty four" for 1984, "two thousand five" for 2005."""
    century, rest = divmod(number, 100)
    if century == 0 or (century % 10 == 0 and rest < 10):
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def plural(words: str) -> str:
    """Return "nineteen nineties" for "nineteen ninety"."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith("x") else f"{words}s"


def roman(text: str) -> int | None:
    """Return the value of a Roman numeral in capitals, or None if it is none."""
    values = [_ROMAN.get(each, 0) for each in text]
    number = sum(
        -each if any(each < later for later in values[place + 1 :]) else each
        for place, each in enumerate(values)
    )
    return number if 0 not in values and 0 < number < 4000 and to_roman(number) == text else None


def to_roman(number: int) -> str:
    """Return a number from 1 to 3999 as a Roman numeral."""
    text = ""
    for value, sign in (
        *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L")),
        *((40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
    ):
        count, number = divmod(number, value)
        text += sign * count
    return text
