"""Text of a spec → plain values, each with the place where it stands.

The text is YAML 1.2 with the core schema (``NO`` is a string, ``1e-3`` a number), of which JSON is
a subset. What a spec has no use for is a problem: tags, anchors, aliases, merge keys, duplicate
keys, several documents, infinities. Size, depth and number of values are bounded while reading.
"""

from __future__ import annotations

from itertools import takewhile

from kokoro_core.spec.problems.problem import Position, Problem, SpecError
from kokoro_core.spec.text.bounds import MAX_BYTES
from kokoro_core.spec.text.document import Document
from kokoro_core.spec.text.other_kinds import kind_of_bytes, kind_of_text


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
