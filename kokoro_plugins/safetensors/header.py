"""The metadata of a checkpoint: canonical JSON under one key of the safetensors header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from kokoro_core.outer_contracts import CheckpointError

METADATA_KEY = "kokoro"


def canonical_json(metadata: Mapping[str, Any]) -> str:
    """Return the one text that stands for these values: sorted keys, no spaces, ASCII.

    Raises:
        CheckpointError: The values would not come back as they are.
    """
    try:
        text = json.dumps(dict(metadata), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"`metadata` must hold only values that JSON has, and this is not one: {error}."
        ) from error
    if json.loads(text) != dict(metadata):
        raise CheckpointError(
            "`metadata` must hold only values that JSON has: lists instead of tuples, and keys "
            f"that are strings; {_first_change(metadata, json.loads(text))} would change."
        )
    return text


def _first_change(before: Any, after: Any, path: str = "metadata") -> str:
    """Return where a value differs from what JSON makes of it."""
    if isinstance(before, Mapping) and set(before) == set(after):
        changed = (key for key in before if before[key] != after[key])
        key = next(changed)
        return _first_change(before[key], after[key], f"{path}.{key}")
    if isinstance(before, list):
        pairs = zip(before, after, strict=True)
        index = next(index for index, (old, new) in enumerate(pairs) if old != new)
        return _first_change(before[index], after[index], f"{path}[{index}]")
    return f"`{path}` = {before!r}"


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of a checkpoint without reading a tensor.

    Raises:
        CheckpointError: The file is missing or is not a checkpoint.
    """
    return _parse(path, _read_header(path).get(METADATA_KEY))


def _read_header(path: Path) -> dict[str, str]:
    try:
        path.stat()
        if not path.is_file():
            raise CheckpointError(f"`{path}` is not a file; a checkpoint is one .safetensors file.")
        with safe_open(path, framework="np") as file:  # numpy is lighter, and no tensor is read
            return dict(file.metadata() or {})
    except FileNotFoundError:
        raise CheckpointError(
            f"`{path}` does not exist; a checkpoint is a .safetensors file."
        ) from None
    except OSError as error:
        raise CheckpointError(f"`{path}` could not be read: {error}.") from error
    except SafetensorError as error:
        raise CheckpointError(
            f"`{path}` is not a safetensors file, or it is cut off or damaged: {error}."
        ) from error


def _parse(path: Path, text: str | None) -> dict[str, Any]:
    if text is None:
        raise CheckpointError(
            f"`{path}` is a safetensors file but not a checkpoint of ours: its metadata has no key "
            f"`{METADATA_KEY}`; such a file is written by `model.save(path)`."
        )
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"`{path}` has metadata under `{METADATA_KEY}` that is not JSON: {error}."
        ) from error
    if not isinstance(metadata, dict):
        raise CheckpointError(
            f"`{path}` must have a JSON object as metadata under `{METADATA_KEY}`, not "
            f"{type(metadata).__name__} ({text[:40]})."
        )
    return metadata
