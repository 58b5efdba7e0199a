"""Text in messages: made safe for a terminal, shortened, and with suggestions."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_SHOWN = 60
"""Characters of a key or value that a message shows; a hostile one may have a million."""

_ESCAPES = (("x", 2), ("u", 4), ("U", 8))


def printable(text: str, keep: str = "") -> str:
    """Return a text with every character escaped that a terminal or a log could act on.

    Untrusted text: a newline can begin a CI command, ESC a terminal sequence.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else _escape(ord(each)) for each in text
    )


def _escape(code: int) -> str:
    """Return a character as a YAML escape, without importing a codec."""
    letter, digits = next(each for each in _ESCAPES if code < 16 ** each[1])
    return f"\\{letter}{code:0{digits}x}"


def shorten(text: str, limit: int = MAX_SHOWN) -> str:
    """Return a text, truncated if it is long."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def one_line(value: object, limit: int = 400) -> str:
    """Return the text of a third-party object on one line, printable and shortened."""
    try:
        line = " ".join(str(value).split())
    except Exception as error:  # `__str__` is third-party code too
        line = f"a {type(value).__name__} whose text raises {type(error).__name__}"
    return shorten(printable(line), limit)


def closest(name: object, available: Iterable[str]) -> str | None:
    """Return the available name that this one may misspell, ignoring case, or None."""
    folded = {each.casefold(): each for each in available}
    near = difflib.get_close_matches(str(name).casefold(), list(folded), n=1, cutoff=0.65)
    return folded[near[0]] if near else None


def suggestion(name: object, available: Iterable[str], quote: str = "`") -> str:
    """Return ", did you mean `…`?" for the closest name, or an empty text."""
    close = closest(name, available)
    return f", did you mean {quote}{close}{quote}?" if close else ""
