"""The manifest of a step directory: its files with size and hash, and the caller's facts."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from kokoro_core.durable.canonical import canonical_json
from kokoro_core.durable.disk import check_plain_name
from kokoro_core.errors import CheckpointError

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1
MAX_BYTES = 16 * 2**20
"""A larger manifest is rejected before it is parsed."""

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FileRecord:
    """The expected size and hash of a file.

    Attributes:
        size: Bytes.
        sha256: Hash of its content, in hexadecimal.
    """

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The content of a step directory.

    Attributes:
        step: The number of the step.
        files: Expected size and hash of each file, by name.
        facts: The caller's facts, such as spec, plugins and progress; JSON values.
        score: The step's score, if it was evaluated.
    """

    step: int
    files: Mapping[str, FileRecord]
    facts: Mapping[str, Any]
    score: float | None = None

    def to_bytes(self) -> bytes:
        """Return the file's content: canonical JSON that includes a hash of everything else.

        Raises:
            CheckpointError: The facts are not JSON values, or exceed 16 MiB.
        """
        body = {
            "facts": self.facts,
            "files": {
                name: {"sha256": each.sha256, "size": each.size}
                for name, each in self.files.items()
            },
            "format_version": FORMAT_VERSION,
            "score": self.score,
            "step": self.step,
        }
        text = canonical_json({**body, "sha256": _hash_of(body)}, "manifest")
        if len(text) > MAX_BYTES:
            raise CheckpointError(
                f"`facts` must make a manifest of at most {MAX_BYTES} bytes, not {len(text)}; "
                "write what is large to a file of its own."
            )
        return text.encode("ascii")

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Parse the file strictly: only bytes that `to_bytes` would write are accepted.

        Raises:
            CheckpointError: It is damaged, or has another version; the message says what is wrong.
        """
        values = _parse(content)
        version = values.get("format_version")
        if type(version) is not int or version != FORMAT_VERSION:
            raise _damaged(f"has format {version!r}; this version reads {FORMAT_VERSION}")
        claimed = values.pop("sha256", None)
        if claimed != _hash_of(values):
            raise _damaged("does not match its own hash, so it is damaged")
        manifest = cls._from_values(values)
        if manifest.to_bytes() != content:
            raise _damaged("is not in canonical form, so it was changed by hand")
        return manifest

    @classmethod
    def _from_values(cls, values: Mapping[str, Any]) -> Self:
        if set(values) != {"facts", "files", "format_version", "score", "step"}:
            raise _damaged(f"has the keys {', '.join(sorted(values))}, which are not a manifest's")
        step, score, facts, files = (values[key] for key in ("step", "score", "facts", "files"))
        if type(step) is not int or step < 0:
            raise _damaged(f"has the step {step!r}, which is not an integer of 0 or more")
        if score is not None and (type(score) is not float or not math.isfinite(score)):
            raise _damaged(f"has the score {score!r}, which is not a finite float")
        if not isinstance(facts, dict) or not isinstance(files, dict) or not files:
            raise _damaged("must hold facts and at least one file")
        records = {name: _record(name, each) for name, each in files.items()}
        return cls(step, records, facts, score)


def _hash_of(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(body, "manifest").encode("ascii")).hexdigest()


def _parse(content: bytes) -> dict[str, Any]:
    if len(content) > MAX_BYTES:
        raise _damaged(f"has more than {MAX_BYTES} bytes")
    try:
        values = json.loads(content.decode("ascii"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _damaged(f"is not JSON, so it is cut off or damaged: {error}") from error
    if not isinstance(values, dict):
        raise _damaged(f"must be a JSON object, not {type(values).__name__}")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _record(name: str, values: Any) -> FileRecord:
    check_plain_name(name)
    if name == MANIFEST_NAME or not isinstance(values, dict) or set(values) != {"sha256", "size"}:
        raise _damaged(f"has a record of `{name}` that is not one of a file")
    size, sha256 = values["size"], values["sha256"]
    if type(size) is not int or size < 0:
        raise _damaged(f"has the size {size!r} for `{name}`")
    if not isinstance(sha256, str) or not _HASH.fullmatch(sha256):
        raise _damaged(f"has for `{name}` a hash that is not a SHA-256")
    return FileRecord(size, sha256)


def _damaged(what: str) -> CheckpointError:
    return CheckpointError(f"`{MANIFEST_NAME}` {what}.")
