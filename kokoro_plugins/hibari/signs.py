"""Words for what is written in signs, where hibari-tts's own rules pass them over or misread."""

from __future__ import annotations

import re
from collections.abc import Callable

_LINK = re.compile(r"(\[[^\]]+\]\([^)]*\))")
_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_COIN = "[$£€¥₹₩]"
_BLANK = "[ \u00a0\u2009\u202f]"

_SPELT = {".": "dot", "/": "slash", ":": "colon", "@": "at", "-": "dash", "_": "underscore"}
_SPELT |= {
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "+": "plus",
    "#": "hash",
    "%": "percent",
}


def _address(found: re.Match[str]) -> str:
    text = found.group().replace("www.", "W W W.")
    return "".join(f" {_SPELT[each]} " if each in _SPELT else each for each in text)


def _grouped(found: re.Match[str]) -> str:
    return re.sub(rf"\.|{_BLANK}", ",", found.group())


_ADDRESSES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"(?<!\w)(?:https?://|www\.)[\w./:@?=&+#%-]*\w/?", _address),
    (r"(?<![\w@])[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _address),
    (r"(?<![\w@./])(?:[\w-]+\.)+(?:com|org|net|edu|gov|io|info)\b(?:/[\w./?=&-]*\w)?", _address),
)

_NUMBERS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (rf"(?<![\d.,])\d{{1,3}}(?:{_BLANK}000)+(?![\d.,]?\d)", _grouped),
    (r"(?<![\d.,])\d{1,3}(?:\.\d{3}){2,}(?![\d.,]?\d)", _grouped),
    (r"\d+(?:\.\d+){2,}", lambda found: found.group().replace(".", " point ")),
    (r"(?<![\d.,])(\d+),(\d{1,2})(?![\d.,]?\d)", r"\1.\2"),
    (r"(?<=\d)\s?(?=[½⅓⅔¼¾⅛⅜⅝⅞])", " and "),
    (r"\b(\d{4})/(\d\d)/(\d\d)\b", r"\1-\2-\3"),
    (r"(?<![\d:])(\d+):(\d)(?![\d:])", r"\1 to \2"),
    (r"(?<![\w'’])(?<!° )(\d{1,2})['’′](\d{1,2})(?:[\"”″]|''|’’)?(?!\w)", r"\1 feet \2 inches"),
    (r"(?<![\w'’])(?<!° )(\d{1,2})['’′] (\d{1,2})(?:[\"”″]|''|’’)", r"\1 feet \2 inches"),
)

_MONEY: tuple[tuple[str, str], ...] = (
    (rf"(?<![\w.,])(?<!{_COIN})({_NUMBER})\s?({_COIN})(?!\d)", r"\2\1"),
    (rf"({_COIN})\s?[-−](?=\d)", r"minus \1"),
    (rf"({_COIN})({_NUMBER})\s?[-–]\s?\1?(?=\d)", r"\2 to \1"),
    (rf"(?<={_COIN})({_NUMBER})\s?bn\b", r"\1 billion"),
    (rf"(?<={_COIN})({_NUMBER})\s?tn\b", r"\1 trillion"),
    (rf"({_COIN}{_NUMBER})\s?/\s?(?=[A-Za-z])", r"\1 per "),
    (r"\bUS(?=\$)", "U.S. "),
)

_OTHERS: tuple[tuple[str, str], ...] = (
    # Ranges at the end of a clause, where hibari-tts takes them for decimals; no telephones.
    (
        r"(?<![\w.\-–/])(?!\d{3}-\d{4}(?!\d))(\d{1,4})\s?[-–]\s?(\d{1,4})(?=%|[.,;:!?)]*(?:\s|$))",
        r"\1 to \2",
    ),
    (r"(?<=\d)\s?\*\*\s?(?=\d)", "^"),
    (r"(?<=\d)\s?\*\s?(?=\d)", " times "),
    (r"(?<=\d)[eE][-−](?=\d)", " e minus "),
    (rf"(?<![\w.)\]\-–—])[-−](?={_COIN}?\.?\d)|−", " minus "),
    (r"~\s*(?=\d)", " about "),
    (r"(?<!\S)/(?=\w)", " slash "),
    # A full stop after words that are abbreviations only before a number.
    (r"\b([Nn]o|[Ff]ig)\.(?!\s*\d)", r"\1 ."),
    # Brackets that give no phonemes: the word after one that opens is read letter by letter.
    (r"\[([^\[\]]*)\](?!\()", r"(\1)"),
)

_RULES = [
    (re.compile(pattern), words) for pattern, words in (*_ADDRESSES, *_NUMBERS, *_MONEY, *_OTHERS)
]

_SIGNS = {
    "!=": "is not equal to",
    "<=": "is at most",
    ">=": "is at least",
    "≠": "is not equal to",
    "≤": "is at most",
    "≥": "is at least",
    "≈": "is about",
    "√": "the square root of",
    "∞": "infinity",
    "‰": "per mille",
    "←": "from",
    "\\": "backslash",
    "№": "number",
    "℃": "degrees Celsius",
    "℉": "degrees Fahrenheit",
}

SILENT = frozenset(".,:;!?…—–‒―-‐‑'\"“”‘’‚„‹›«»`´()[]{}¿¡•·†‡™®*_|")
"""What nobody says: punctuation, bullets and the like."""

READ = frozenset("/=+&@%#~^<>$£€")
"""What hibari-tts's lexicon has words for, money only beside a number."""


def in_words(text: str) -> str:
    """Return a text with these signs in words; links and what hibari-tts reads stay as they are."""
    parts = _LINK.split(text)
    parts[::2] = [_in_words(each) for each in parts[::2]]
    return "".join(parts)


def _in_words(text: str) -> str:
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    for sign, said in _SIGNS.items():
        text = text.replace(sign, f" {said} ")
    return text


def unread(text: str) -> list[str]:
    """Return the signs of a text in words that nobody reads, each once."""
    return [
        each
        for each in dict.fromkeys(text)
        if not (each.isalnum() or each.isspace() or each in SILENT or each in READ)
    ]
