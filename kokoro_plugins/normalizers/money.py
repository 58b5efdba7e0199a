"""Amounts of money: the sign is read after the number, and hundredths by their own name."""

from __future__ import annotations

import re

from kokoro_plugins.normalizers.numbers import cardinal, decimal
from kokoro_plugins.normalizers.rule import Rule

_COINS = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
"""One and many of the coin and of its hundredth."""

_SCALES = {
    "k": "thousand",
    "K": "thousand",
    "m": "million",
    "M": "million",
    "mn": "million",
    "bn": "billion",
    "B": "billion",
    "b": "billion",
    "tn": "trillion",
}
_NOTES = r"(?=\s+(?:bill|note|coin|ticket|check|cheque|fine|prize|deal|reward|budget|loan)\b)"


def _amount(found: re.Match[str]) -> str:
    one, many, *hundredth = _COINS[found["sign"]]
    minus = "minus " if found["minus"] else ""
    scale = found["scale"]
    if scale:
        words = f"{decimal(found['number'])} {_SCALES.get(scale, scale)}"
        return f"{minus}{words} {one if found['note'] is not None else many}"
    whole, _, part = found["number"].replace(",", "").partition(".")
    if part and len(part) != 2:
        return f"{minus}{decimal(found['number'])} {many}"
    coins = (
        f"{cardinal(int(whole))} {one if int(whole) == 1 or found['note'] is not None else many}"
    )
    if not int(part or "0"):
        return minus + coins
    cents = f"{cardinal(int(part))} {hundredth[int(part) != 1]}"
    return minus + (f"{coins} and {cents}" if int(whole) else cents)


MONEY = (
    Rule.of(r"([$£€])(\d[\d,.]*)\s?[-–]\s?\1?(?=\d)", r"\2 to \1"),
    Rule.of(r"(?<![\w.,$£€])(\d[\d,]*(?:\.\d+)?)\s?([€£])(?!\d)", r"\2\1"),
    Rule.of(
        rf"(?P<minus>(?<!\w)[-−])?(?:US|U\.S\. ?)?(?P<sign>[{''.join(_COINS)}])\s?"
        r"(?P<number>\d[\d,]*(?:\.\d+)?)(?<!,)"
        rf"(?:[\s-]?(?P<scale>thousand|million|billion|trillion|(?:{'|'.join(_SCALES)})(?!\w)))?"
        rf"(?P<note>{_NOTES})?",
        _amount,
    ),
    Rule.of(r"(?<![\d.,])1\s?¢", "one cent"),
    Rule.of(r"¢", " cents"),
)
