"""What is wrong with a spec, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

Path = tuple[str | int, ...]
"""A place in a spec: the keys and indices that lead to it."""


MAX_PROBLEMS = 100
"""Problems of a file that are listed; a file with more is no spec, and each one costs time."""

MAX_SHOWN = 60
"""Characters of a key or a value that a problem shows; a hostile one may have a million."""


def dotted(path: Path) -> str:
    """Return a path as a user writes it, long keys shortened: ``encoder.kernels[1]``."""
    text = ""
    for part in path:
        key = f"[{part}]" if isinstance(part, int) else shorten(str(part))
        text += key if isinstance(part, int) or not text else f".{key}"
    return text


def shorten(text: str) -> str:
    """Return a text with its end left out if it is long."""
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}…"


_ESCAPES = (("x", 2), ("u", 4), ("U", 8))


def printable(text: str, keep: str = "") -> str:
    """Return a text with all that a terminal or a log could act on written as an escape.

    A spec's keys and values are a stranger's: a newline begins a command of a CI, ESC one of the
    terminal.
    """
    if text.isprintable():
        return text
    safe = (each.isprintable() or each in keep for each in text)
    return "".join(
        each if shown else _escape(ord(each)) for each, shown in zip(text, safe, strict=True)
    )


def _escape(code: int) -> str:
    """Return a character as an escape of YAML; the codec for it would be an import."""
    letter, digits = next(each for each in _ESCAPES if code < 16 ** each[1])
    return f"\\{letter}{code:0{digits}x}"


@dataclass(frozen=True)
class Position:
    """A place in a text: line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        code: A stable name of the rule that is broken.
        path: The dotted path of the value, empty for the whole document.
        message: What is wrong, what was received and what would work.
        source: The file, the named spec or ``<spec>``.
        position: Where the value stands in the source, if it has a text.
        received: The value as a spec would write it, shortened, where a value is wrong.
        expected: What would work: names, a kind of value or a bound; empty where the message has
            more to say than that.
    """

    code: str
    path: str
    message: str
    source: str = "<spec>"
    position: Position | None = None
    received: str | None = None
    expected: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = self.source
        if self.position is not None:
            where += f":{self.position.line}:{self.position.column}"
        what = f"{self.path}: {self.message}" if self.path else self.message
        return printable(f"{where}: {what} [{self.code}]")

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as values that JSON has."""
        return {**asdict(self), "expected": list(self.expected)}


class SpecError(ValueError):
    """A spec has problems; all of them are in `problems`, one a line in the message."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(each) for each in self.problems))
