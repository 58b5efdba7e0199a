"""What is wrong with a spec, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from registry.text import printable, shorten

Path = tuple[str | int, ...]
"""A place in a spec: the keys and indices that lead to it."""


MAX_PROBLEMS = 100
"""Problems of a file that are listed; a file with more is no spec, and each one costs time."""


def dotted(path: Path) -> str:
    """Return a path as a user writes it, long keys shortened: ``encoder.kernels[1]``."""
    text = ""
    for part in path:
        key = f"[{part}]" if isinstance(part, int) else shorten(str(part))
        text += key if isinstance(part, int) or not text else f".{key}"
    return text


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
