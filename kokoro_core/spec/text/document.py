"""Text of a spec → plain values, each with the place where it stands.

The text is YAML 1.2 with the core schema (``NO`` is a string, ``1e-3`` a number), of which JSON is
a subset. What a spec has no use for is a problem: tags, anchors, aliases, merge keys, duplicate
keys, several documents, infinities. Size, depth and number of values are bounded while reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from kokoro_core.spec.problems.problem import Path, Position, Problem, SpecError, dotted
from kokoro_core.spec.text.other_kinds import kind_of_bytes, kind_of_text

MAX_BYTES = 2**20
MAX_DEPTH = 32
MAX_VALUES = 100_000


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


def from_mapping(value: Mapping[str, Any], source: str = "<mapping>") -> Document:
    """Return the document of a mapping made in Python, which has no positions."""
    return Document(source, value)


def parse(text: str | bytes, source: str = "<spec>") -> Document:
    """Read YAML or JSON.

    Raises:
        SpecError: The text is not UTF-8, too large, too deep, or not YAML.
    """
    from kokoro_core.spec.text.reader import read  # YAML is imported when there is a text to read

    decoded = _decode(text, source)
    try:
        document = read(decoded, source)
    except SpecError:
        _refuse_other_kind(kind_of_text(decoded), source)
        raise
    if isinstance(document.value, str):
        _refuse_other_kind(kind_of_text(decoded), source)
    return document


def _refuse_other_kind(kind: str | None, source: str) -> None:
    """Refuse what is no spec but something that is known.

    Raises:
        SpecError: It is.
    """
    if kind is not None:
        raise SpecError([Problem("not-a-spec", "", f"this is {kind}", source)])


def head_comment(text: bytes) -> str:
    """Return the comment at the top of a spec in one line; nothing if there is none."""
    lines = takewhile(
        lambda line: line.startswith("#"), text.decode("utf-8", "replace").split("\n")
    )
    return " ".join(line.lstrip("#").strip() for line in lines)


def _decode(text: str | bytes, source: str) -> str:
    """Return the text if it is UTF-8 and not too large."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    _refuse_other_kind(kind_of_bytes(raw), source)
    if len(raw) > MAX_BYTES:
        message = f"the text has {len(raw)} bytes; a spec has at most {MAX_BYTES}"
        raise SpecError([Problem("too-large", "", message, source)])
    try:
        decoded = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        place = Position(before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1)
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise SpecError([Problem("not-utf8", "", message, source, place)]) from None
    if decoded.startswith("\ufeff"):
        message = "the text starts with two byte order marks; save the file with one or none"
        raise SpecError([Problem("syntax", "", message, source, Position(1, 1))])
    return decoded
