"""Files that are given where a spec is wanted: what they are, and what takes them.

A guess from the first bytes, or from lines that YAML would not have; nothing is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LOOK = 100_000
"""Characters that are looked at; the rest of a file is of the same kind."""

_CHECKPOINT = (
    "a checkpoint, not a spec; `kokoro-core checkpoint inspect` says what is in it, and "
    "`synthesize`, `diff` and `KokoroModel.load` take it"
)
_PACKED = "compressed; unpack it first"
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", _PACKED),
    (b"BZh", _PACKED),
    (b"\xfd7zXZ\x00", _PACKED),
    (b"\x28\xb5\x2f\xfd", _PACKED),
    (b"PK\x03\x04", "a zip archive, or what `torch.save` writes, and no spec"),
    (b"RIFF", "a sound, not a spec; recordings go into the folder that `train --data` takes"),
    (b"fLaC", "a sound, not a spec; recordings go into the folder that `train --data` takes"),
    (b"OggS", "a sound, not a spec; recordings go into the folder that `train --data` takes"),
    (b"\x89PNG", "a picture, not a spec"),
    (b"%PDF", "a PDF, not a spec"),
    (b"\x89HDF", "an HDF5 file, not a spec"),
    (b"\x7fELF", "a program, not a spec"),
    (b"\xff\xfe\x00\x00", "UTF-32; save it as UTF-8"),
    (b"\xff\xfe", "UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16; save it as UTF-8"),
    *((b"\x80" + bytes([each]), "a pickle, which is never read") for each in range(2, 6)),
)

_NOT_YAML = "which a spec cannot be; write it as YAML or JSON"
_COMMENT = re.compile(r"\s*[#;].*|\s*")
_SECTION = re.compile(r"\s*\[\[?[\w.\- \"':]+\]?\]\s*([#;].*)?")
_SETTING = re.compile(r"\s*[\w.\-\"']+\s*=(?!=)\s*\S.*")
_PYTHON = re.compile(r"(import \w[\w.]*|from [\w.]+ import .+|def \w+\(.*|class \w+.*:)\s*(#.*)?")
_XML = re.compile(r"\s*<(\?xml|!DOCTYPE|!--|\w)", re.I)


def kind_of_bytes(raw: bytes) -> str | None:
    """Return what a file is that begins like no text does, None for what may be one."""
    size = int.from_bytes(raw[:8], "little")
    if len(raw) > 9 and raw[8:9] == b"{" and 2 <= size < 2**32 and b"\x00" in raw[:8]:
        return _CHECKPOINT
    return next((what for magic, what in _MAGIC if raw.startswith(magic)), None)


def kind_of_text(text: str) -> str | None:
    """Return what a text is that is no YAML mapping, None if that cannot be told."""
    text = text[:_LOOK]
    if _XML.match(text):
        return f"XML or HTML, {_NOT_YAML}"
    lines = [each for each in text.splitlines() if not _COMMENT.fullmatch(each)]
    if any(map(_PYTHON.fullmatch, lines[:20])):
        return f"Python, {_NOT_YAML}: nothing in a spec is ever run"
    settings = [each for each in lines if _SETTING.fullmatch(each)]
    sections = [each for each in lines if _SECTION.fullmatch(each)]
    if settings and lines[0] in (*settings, *sections):
        return f"TOML or INI, {_NOT_YAML}: `hidden_dim: 512` in place of `hidden_dim = 512`"
    return None


def kind_of_mapping(value: Mapping[str, Any]) -> str | None:
    """Return what a mapping is that has a spec in it, None for what may be one itself."""
    inner = value.get("spec")
    if isinstance(inner, Mapping) and "encoder" in inner and "encoder" not in value:
        return (
            "a report with a spec in it, as `resolve --json` and `describe --json` print; the spec "
            "is the value of its key 'spec', and `kokoro-core resolve` without `--json` prints it "
            "alone"
        )
    return None
