"""How large a spec may be, and what is refused before time is spent on reading it."""

from __future__ import annotations

import re

from kokoro_core.spec.problems.problem import Position, Problem, SpecError

MAX_BYTES = 2**20
MAX_DEPTH = 32
MAX_VALUES = 100_000

_LONG_NAME = re.compile(r"(?:^|[\s\[{,:])[!&*%]\S{1024}", re.M)  # read in quadratic time


def refuse_before_reading(text: str, source: str) -> None:
    """Refuse a text that would take long to read and could not be a spec.

    Raises:
        SpecError: It has too many values, or a name that the library reads in quadratic time.
    """
    _refuse_too_many_marks(text, source)
    _refuse_long_names(text, source)


def position_of(text: str, index: int) -> Position:
    """Return the line and column of an index in a text."""
    before = text[:index]
    return Position(before.count("\n") + 1, index - before.rfind("\n"))


def _refuse_too_many_marks(text: str, source: str) -> None:
    """Refuse a text that must have too many values before time is spent on reading it.

    Nearly every value follows a comma, a colon or a dash, so a text with more of one of these has
    more values. What strings and comments hold is counted too: no spec has so much of it.
    """
    marks = {
        "commas": text.count(","),
        "colons": sum(text.count(each) for each in (": ", ":\n", ":\r", ":\t")),
        "dashes": sum(text.count(each) for each in ("- ", "-\n", "-\r", "-\t")),
    }
    for name, count in marks.items():
        if count > MAX_VALUES:
            message = f"the text has {count} {name}; a spec has at most {MAX_VALUES} values"
            raise SpecError([Problem("too-many-values", "", message, source)])


def _refuse_long_names(text: str, source: str) -> None:
    """Refuse a tag, an anchor, an alias or a directive that takes long to read; none is allowed."""
    found = _LONG_NAME.search(text)
    if found is not None:
        message = "a tag, an anchor, an alias or a directive of more than 1024 characters"
        at = position_of(text, found.end() - 1025)
        raise SpecError([Problem("syntax", "", message, source, at)])
