"""The events of a YAML text → a `Document`.

Events are read one by one, so that a limit holds before the values behind it exist, and so that an
explicit tag or an anchor is seen (a composed node no longer tells).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from kokoro_core.spec.problems.problem import (
    MAX_PROBLEMS,
    Path,
    Position,
    Problem,
    SpecError,
    dotted,
)
from kokoro_core.spec.text.bounds import MAX_DEPTH, MAX_VALUES, position_of, refuse_before_reading
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.text.scalars import MAX_DIGITS, NOT_FINITE, plain_value
from registry.text import shorten

_DIRECTIVE = re.compile(r"^%", re.M)


def read(text: str, source: str) -> Document:
    """Read a text.

    Raises:
        SpecError: It is not YAML, or it goes past a limit.
    """
    refuse_before_reading(text, source)
    return _Reader(text, source).read()


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self.events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(text))
        self.text = text
        self.source = source
        self.keys: dict[Path, Position] = {}
        self.values: dict[Path, Position] = {}
        self.problems: list[Problem] = []
        self.num_values = 0
        self.discarding = False

    def read(self) -> Document:
        try:
            value = self._document()
        except ReaderError as error:
            at = position_of(self.text, error.position)
            message = f"character U+{_code_point(error):04X} must be escaped in double quotes"
            self.problems.append(Problem("syntax", "", message, self.source, at))
            raise SpecError(self.problems) from None
        except SpecError:
            raise
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = ", ".join(each for each in (error.context, error.problem) if each)
            raise self._stop("syntax", (), what, mark) from None
        except (YAMLError, ValueError) as error:
            what = str(error).strip().splitlines()[0]
            raise self._stop("syntax", (), what, None) from None
        return Document(self.source, value, self.keys, self.values, tuple(self.problems))

    def _document(self) -> Any:
        value, seen = None, 0
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                seen += 1
                if seen > 1:
                    self._note("several-documents", (), "a spec is one document", event.start_mark)
                    break
                self._refuse_directives(event)
            elif isinstance(
                event, (ScalarEvent, AliasEvent, MappingStartEvent, SequenceStartEvent)
            ):
                value = self._value(event, ())
        return value

    def _refuse_directives(self, event: DocumentStartEvent) -> None:
        """Refuse any directive, also one that the library does not know and passes over."""
        found = _DIRECTIVE.search(self.text, 0, event.start_mark.index)
        if found is not None:
            at = position_of(self.text, found.start())
            message = "a spec has no % directives"
            self.problems.append(Problem("directive", "", message, self.source, at))

    def _value(self, event: Event, path: Path) -> Any:
        """Return the value that an event starts, and note what is wrong with it."""
        if not self.discarding:
            self.values[path] = _position(event.start_mark)
        self.num_values += 1
        if self.num_values > MAX_VALUES:
            message = f"the spec has more than {MAX_VALUES} values"
            raise self._stop("too-many-values", (), message, event.start_mark)
        if len(path) > MAX_DEPTH:
            message = f"values are nested more than {MAX_DEPTH} deep"
            raise self._stop("too-deep", path[:1], message, event.start_mark)
        if isinstance(event, AliasEvent):
            message = (
                f"an alias (*{shorten(event.anchor)}) has no place in a spec; write the value out"
            )
            self._note("alias", path, message, event.start_mark)
            return None
        self._refuse_decoration(event, path)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _refuse_decoration(self, event: Any, path: Path) -> None:
        if event.anchor is not None:
            message = (
                f"an anchor (&{shorten(event.anchor)}) has no place in a spec; write values out"
            )
            self._note("anchor", path, message, event.start_mark)
        tag = getattr(event, "tag", None)
        if tag is not None:
            message = f"a tag ({shorten(str(tag))}) has no place in a spec; write the plain value"
            self._note("tag", path, message, event.start_mark)

    def _scalar(self, event: Any, path: Path) -> Any:
        text = self._text(event, path)
        if not event.implicit[0]:  # quoted, or a block of text
            return text
        if NOT_FINITE.fullmatch(text):
            self._note("not-finite", path, f"{text} is not a finite number", event.start_mark)
            return None
        value = plain_value(text)
        if isinstance(value, float) and not math.isfinite(value):
            self._note("not-finite", path, f"{text} is too large a number", event.start_mark)
            return None
        if value is None and len(text) > MAX_DIGITS:
            message = f"a number of {len(text)} characters is too long"
            self._note("not-finite", path, message, event.start_mark)
        return value

    def _text(self, event: Any, path: Path) -> str:
        """Return the text of a scalar, the two halves that JSON writes of one character joined."""
        text: str = event.value
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            message = "half of a surrogate pair (\\ud800 to \\udfff) is not a character"
            self._note("not-utf8", path, message, event.start_mark)
            return ""

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        for event in self.events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        items: dict[str, Any] = {}
        for event in self.events:
            if isinstance(event, MappingEndEvent):
                break
            key = self._key(event, path, items)
            at = _position(event.start_mark)
            if key is None:
                self._skip(path)
                continue
            if not self.discarding:
                self.keys[(*path, key)] = at
            items[key] = self._value(next(self.events), (*path, key))
        return items

    def _key(self, event: Any, path: Path, taken: dict[str, Any]) -> str | None:
        """Return a key, or None after noting why it cannot be one."""
        if not isinstance(event, ScalarEvent):
            self._note("bad-key", path, "a key must be a string", event.start_mark)
            if not isinstance(event, AliasEvent):
                self._discard(event, path)
            return None
        self._refuse_decoration(event, path)
        text = self._text(event, path)
        code = message = ""
        if event.implicit[0] and text == "<<":
            code, message = (
                "merge-key",
                "a merge key (<<) has no place in a spec; write the values out",
            )
        elif event.implicit[0] and not isinstance(plain_value(text), str):
            code, message = "bad-key", f"a key must be a string, not {shorten(text) or 'null'}"
        elif text in taken:
            code, message = "duplicate-key", self._duplicate((*path, text))
        if code:
            self._note(code, (*path, text), message, event.start_mark)
            return None
        return text

    def _duplicate(self, path: Path) -> str:
        first = self.keys.get(path)
        place = f" at line {first.line}, column {first.column}" if first is not None else ""
        return f"the key '{shorten(str(path[-1]))}' stands already{place}; keep one"

    def _skip(self, path: Path) -> None:
        """Read past the value of a key that is refused."""
        self._discard(next(self.events), path)

    def _discard(self, event: Event, path: Path) -> None:
        outer, self.discarding = self.discarding, True
        self._value(event, (*path, "<refused>"))
        self.discarding = outer

    def _note(self, code: str, path: Path, message: str, mark: Any) -> None:
        if self.discarding:
            return
        place = _position(mark) if mark is not None else None
        self.problems.append(Problem(code, dotted(path), message, self.source, place))
        if len(self.problems) >= MAX_PROBLEMS:
            message = f"the text has {MAX_PROBLEMS} problems up to here; mend these first"
            self.problems.append(Problem("too-many-problems", "", message, self.source, place))
            raise SpecError(self.problems)

    def _stop(self, code: str, path: Path, message: str, mark: Any) -> SpecError:
        self.discarding = False
        self._note(code, path, message, mark)
        return SpecError(self.problems)


def _code_point(error: ReaderError) -> int:
    character = error.character
    return character if isinstance(character, int) else ord(character)


def _position(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1)
