"""The only metadata key of a checkpoint: its content hash, and the metadata.

The format stores several keys in no fixed order, so there is only one, with canonical JSON. The
hash comes first in it, and the key first in the header, so that its 64 digits have the same offset
in every file: the hash is the SHA-256 of the file with zeros there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kokoro_core.durable import canonical_json
from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.header import LENGTH, METADATA, Header
from kokoro_plugins.safetensors.strict_json import parse_strictly

METADATA_KEY = "kokoro"
HASH_KEY = "content_sha256"
NO_DIGITS = "0" * 64
START = f'{{"{METADATA}":{{"{METADATA_KEY}":"{{\\"{HASH_KEY}\\":\\"'.encode()
DIGITS = slice(LENGTH.size + len(START), LENGTH.size + len(START) + len(NO_DIGITS))
"""Position of the hash's digits in a file."""

_HASH = re.compile(r"[0-9a-f]{64}")


def wrap(metadata: Mapping[str, Any]) -> str:
    """Return the value of the key, with zeros in place of the hash.

    Raises:
        CheckpointError: The metadata would change when read back.
    """
    inner = canonical_json(metadata, "metadata")
    return f'{{"{HASH_KEY}":"{NO_DIGITS}","metadata":{inner}}}'


def unwrap(path: object, raw: bytes, header: Header) -> tuple[str | None, dict[str, Any]]:
    """Return the hash stated in a file, and its metadata.

    Files of the first version state none: their key holds the metadata itself, which has
    `format_version` 1.

    Args:
        path: The file's name in errors.
        raw: The file up to its body.
        header: The same, parsed.

    Raises:
        CheckpointError: It is not a checkpoint of ours.
    """
    if METADATA_KEY not in header.metadata:
        raise CheckpointError(
            f"`{path}` is a safetensors file but not a checkpoint of ours: its metadata has no key "
            f"`{METADATA_KEY}`; such a file is written by `model.save(path)`."
        )
    values = _parse(path, header.metadata[METADATA_KEY])
    if set(header.metadata) == {METADATA_KEY} and raw[LENGTH.size :].startswith(START):
        stated, metadata = values.get(HASH_KEY), values.get("metadata")
        whole = set(values) == {HASH_KEY, "metadata"} and raw[DIGITS] == str(stated).encode()
        if whole and _HASH.fullmatch(str(stated)) and isinstance(metadata, dict):
            return str(stated), metadata
    elif HASH_KEY not in values and values.get("format_version") == 1:
        return None, values
    raise CheckpointError(
        f"`{path}` is damaged, or another program has rewritten it: it does not start with its "
        f"content hash; take another copy."
    )


def without_digits(raw: bytes) -> bytes:
    """Return the start of a file with the hash's digits zeroed, as it is hashed."""
    return raw[: DIGITS.start] + NO_DIGITS.encode() + raw[DIGITS.stop :]


def _parse(path: object, text: str) -> dict[str, Any]:
    try:
        values = parse_strictly(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"`{path}` has metadata under `{METADATA_KEY}` that is not JSON: {error}."
        ) from error
    if not isinstance(values, dict):
        raise CheckpointError(
            f"`{path}` must have a JSON object as metadata under `{METADATA_KEY}`, not "
            f"{type(values).__name__} ({text[:40]!a})."
        )
    return values
