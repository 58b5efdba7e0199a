"""Numbers as such: of telephones, in ranges, in order, with signs, and beside letters."""

from __future__ import annotations

import re

from kokoro_plugins.normalizers.numbers import cardinal, decimal, digits, ordinal
from kokoro_plugins.normalizers.rule import Rule

_SIGNS_OF_ADDRESSES = {"@": "at", ".": "dot", "/": "slash", "-": "dash", "_": "underscore"}


def _grouped(found: re.Match[str]) -> str:
    """Return the digits of a telephone number, a pause between its groups."""
    return ", ".join(
        f"{cardinal(int(each[0]))} hundred" if each == "800" else digits(each)
        for each in re.findall(r"\d+", found.group())
    )


def _address(found: re.Match[str]) -> str:
    """Return an address of the network with its signs in words."""
    text = re.sub(r"^https?://", "", found["address"])
    text = re.sub(r"\bwww\b", "w w w", text)
    for sign, word in (
        ("@", "at"),
        (".", "dot"),
        ("/", "slash"),
        ("-", "dash"),
        ("_", "underscore"),
    ):
        text = text.replace(sign, f" {word} ")
    return " ".join(text.split())


def _ordinal(found: re.Match[str]) -> str:
    return ordinal(int(found[1].replace(",", "")))


def _number(found: re.Match[str]) -> str:
    minus = "minus " if found["minus"] else ""
    return minus + decimal(found["number"])


def _dotted(found: re.Match[str]) -> str:
    """Return the numbers of a version or an address of the network."""
    return " point ".join(decimal(each) for each in found.group().split("."))


ADDRESSES = (
    Rule.of(r"(?P<address>\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+)", _address),
    Rule.of(r"(?P<address>(?:https?://|\bwww\.)[\w-]+(?:\.[\w-]+)+(?:/[\w./-]*\w)?)", _address),
    Rule.of(r"(?P<address>\b[a-z][\w-]*\.(?:com|org|net|edu|gov|io)\b)", _address),
)

TELEPHONES = (
    Rule.of(r"(?<!\w)\+\d{1,3}(?: \d{2,4}){2,4}(?!\w)", _grouped),
    Rule.of(
        r"(?<![\w.,-])(?:\+?1[-.\s])?(?:\(\d{3}\)\s?|\d{3}[-.])\d{3}[-.]\d{4}(?![\w-])", _grouped
    ),
    Rule.of(r"(?<![\w.,-])\d{3}-\d{4}(?![\w-])", lambda found: digits(found.group())),
    Rule.of(
        r"(?<![\w.,$-])(?:911|411|999)(?=\W|$)(?![.,]?\d)(?!\s+[a-z]+s\b)",
        lambda found: digits(found[0]),
    ),
)

RANGES = (
    Rule.of(r"(?<![\w.,:/-])(\d+):(\d+)(?![\w:])", r"\1 to \2"),
    Rule.of(r"(?<![\w.,-])(\d[\d,.]*)\s?[-–—]\s?(\d[\d,]*(?:\.\d+)?)(?![\w-])", r"\1 to \2"),
)

ORDINALS = (Rule.of(r"\b(\d[\d,]*)(?:st|nd|rd|th)\b", _ordinal),)

SIGNS = (
    Rule.of(r"(?<=\d)\s?\+\s?(?=\d)", " plus "),
    Rule.of(r"(?<=\d)\s[-−]\s(?=\d)", " minus "),
    Rule.of(r"(?<=\d)\s[x]\s(?=\d)", " by "),
    Rule.of(r"(?<=\d)\s?[×*]\s?(?=\d)", " times "),
    Rule.of(r"(?<=\d)\s?÷\s?(?=\d)", " divided by "),
    Rule.of(r"(?<=\d)\s/\s(?=\d)", " divided by "),
    Rule.of(r"\s=\s", " equals "),
    Rule.of(r"\s>\s", " greater than "),
    Rule.of(r"\s<\s", " less than "),
    Rule.of(r"(?<=\s)>(?=\d)", "more than "),
    Rule.of(r"(?<=\s)<(?=\d)", "less than "),
    Rule.of(r"[~≈](?=\d)", "about "),
    Rule.of(r"\b24/7\b", "twenty four seven"),
)

NUMBERS = (
    Rule.of(r"(?<![\w.,])00([1-9])(?!\w|[.,]\d)", lambda found: f"double oh {digits(found[1])}"),
    # "A4", "F-16", "MP3" and "3D" are letters and a number.
    Rule.of(r"(?<=[A-Za-z])-?(?=\d)", " "),
    Rule.of(r"(?<=\d)-?(?=[A-Za-z])", " "),
    Rule.of(r"(?<![\w.,])\d+(?:\.\d+){2,}(?!\w)", _dotted),
    Rule.of(
        r"(?P<minus>(?<![\w.,])[-−])?(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?)",
        _number,
    ),
)
