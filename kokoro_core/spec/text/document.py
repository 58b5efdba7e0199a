"""`Document`: the plain values of a spec, each with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kokoro_core.spec.problems.problem import Path, Position, Problem, dotted


@dataclass(frozen=True)
class Document:
    """The values of a spec and where they stand.

    Attributes:
        source: The file, the named spec or a word in angle brackets.
        value: Dicts, lists and scalars.
        keys: Where the key of a path stands.
        values: Where the value of a path stands.
        problems: What is wrong with the text although it could be read.
        origins: For a path that an override set, how the user wrote it.
        made: For a path that was missing or null until an override went into it, the same.
        notes: What else overrides changed, a line each.
    """

    source: str
    value: Any
    keys: Mapping[Path, Position] = field(default_factory=dict)
    values: Mapping[Path, Position] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    origins: Mapping[Path, str] = field(default_factory=dict)
    made: Mapping[Path, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def locate(self, path: Path, *, at_key: bool = False) -> tuple[str, Position | None]:
        """Return the source and the position of a path, or of what it is missing from."""
        prefixes = [path[:end] for end in range(len(path), -1, -1)]
        for known in prefixes:
            if known in self.origins or known in self.made:
                return self.origins.get(known) or self.made[known], None
        first = self.keys if at_key else self.values
        if path in first:
            return self.source, first[path]
        for known in prefixes:
            position = self.keys.get(known) or self.values.get(known)
            if position is not None:
                return self.source, position
        return self.source, None

    def problem(
        self,
        code: str,
        path: Path,
        message: str,
        *,
        at_key: bool = False,
        received: str | None = None,
        expected: Iterable[str] = (),
    ) -> Problem:
        """Return a problem of a path, with its place."""
        source, position = self.locate(path, at_key=at_key)
        return Problem(code, dotted(path), message, source, position, received, tuple(expected))

    def place(self, path: Path) -> str:
        """Return a path with its place, for a message that names a second one."""
        source, position = self.locate(path)
        if path not in self.values and path not in self.keys and source == self.source:
            return f"`{dotted(path)}`, which is left out" if self.values else f"`{dotted(path)}`"
        if position is None:
            return f"`{dotted(path)}`" if source == self.source else f"`{dotted(path)}` ({source})"
        return f"`{dotted(path)}` ({source}:{position.line}:{position.column})"


MAPPING = "<mapping>"
"""The source of a mapping made in Python."""


def from_mapping(value: Mapping[str, Any], source: str = MAPPING) -> Document:
    """Return the document of a mapping made in Python, which has no positions."""
    return Document(source, value)
