"""The comments of a YAML text, each with the key that it belongs to.

A comment belongs to the key before it on its line, or else to the next key below; so it can follow
its key to another place. Blank lines count as comments without text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ruamel.yaml import YAML
from ruamel.yaml.events import ScalarEvent

from kokoro_core.spec.problems.problem import Path
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.text.parse import parse

Span = tuple[tuple[int, int], tuple[int, int]]
"""Line and column of a scalar's first character and of what follows its last; lines from 1."""


@dataclass(frozen=True)
class Comment:
    """A comment without what stands around it.

    Attributes:
        text: From its ``#`` on, or empty for a blank line.
        owner: The path of its key; empty at the end of the file.
        behind: Whether it stands behind its key and not above it.
    """

    text: str
    owner: Path
    behind: bool

    def moved(self, moves: Mapping[Path, Path]) -> Comment:
        """Return the comment with the new place of its key."""
        for end in range(len(self.owner), 0, -1):
            if self.owner[:end] in moves:
                return replace(self, owner=moves[self.owner[:end]] + self.owner[end:])
        return self


def comments_of(text: str, document: Document) -> list[Comment]:
    """Return the comments and blank lines of a text, in their order.

    Those above the first key, the head of the file, belong to the format of the spec.
    """
    keys = sorted((at.line, at.column, path) for path, at in document.keys.items())
    spans = _spans_of_scalars(text)
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        start = _comment_start(line, number, spans)
        if start is None:
            continue
        before = [path for at, _, path in keys if at == number]
        behind = bool(before and line[:start].strip())
        below = [path for at, _, path in keys if at > number]
        owner = before[-1] if behind else below[0] if below else ()
        if keys and number < keys[0][0]:
            owner = ("format",)
        found.append(Comment(line[start:].rstrip(), owner, behind))
    return found


def with_comments(text: str, comments: Sequence[Comment]) -> str:
    """Return a YAML text without comments with these in it.

    A comment whose key is gone stays, at the end of the file.
    """
    keys = parse(text).keys
    lines: list[str] = text.splitlines()
    long = {first[0] for first, end in _spans_of_scalars(text) if end[0] > first[0]}
    above: dict[int, list[str]] = {}
    for each in comments:
        place = keys.get(each.owner)
        number = len(lines) if place is None else place.line - 1
        is_free = "  #" not in "".join(lines[number : number + 1]) and number + 1 not in long
        if place is not None and each.behind and is_free:
            lines[number] += f"  {each.text}"
        else:
            indent = "" if place is None else _indent(lines[number])
            above.setdefault(number, []).append(f"{indent}{each.text}".rstrip())
    merged = [line for at, own in enumerate(lines) for line in [*above.get(at, []), own]]
    return "".join(f"{line}\n" for line in [*merged, *above.get(len(lines), [])])


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _spans_of_scalars(text: str) -> list[Span]:
    scalars = [each for each in YAML(typ="safe", pure=True).parse(text) if _is_scalar(each)]
    marks = [(each.start_mark, each.end_mark) for each in scalars]
    return [((a.line + 1, a.column), (b.line + 1, b.column)) for a, b in marks]


def _is_scalar(event: object) -> bool:
    return isinstance(event, ScalarEvent)


def _comment_start(line: str, number: int, spans: Sequence[Span]) -> int | None:
    """Return where the comment of a line starts, 0 for a blank line: a # in no scalar."""
    if not line.strip():
        return None if _within((number, 0), spans) else 0
    for column, character in enumerate(line):
        free = column == 0 or line[column - 1] in " \t"
        if character == "#" and free and not _within((number, column), spans):
            return column
    return None


def _within(place: tuple[int, int], spans: Sequence[Span]) -> bool:
    return any(first <= place < end for first, end in spans)
