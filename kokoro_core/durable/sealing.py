"""Turn a folder of written files into a verifiable one: hash, sync, manifest last."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from kokoro_core.durable.disk import (
    check_plain_name,
    open_regular,
    sync,
    umask_mode,
    write_new,
)
from kokoro_core.durable.manifest import MANIFEST_NAME, FileRecord, Manifest
from kokoro_core.durable.reading_back import sync_and_hash
from kokoro_core.errors import CheckpointError


def seal(folder: int, step: int, facts: Mapping[str, Any], score: float | None) -> Manifest:
    """Seal the files in an open folder as a step: then all are on disk and have been read back.

    Raises:
        CheckpointError: There is no file, one is not a regular file or has no plain name, or the
            content read back differs from what was written.
        OSError: The file system reports an error.
    """
    names = sorted(os.listdir(folder))
    if not names:
        raise CheckpointError(
            "`write` must leave at least one file in the folder that it is given."
        )
    if MANIFEST_NAME in names:
        raise CheckpointError(f"`write` must not leave a `{MANIFEST_NAME}`; that is written here.")
    manifest = Manifest(step, {name: _seal_file(name, folder) for name in names}, facts, score)
    content = manifest.to_bytes()
    # Last, so that a folder with a manifest is complete.
    write_new(MANIFEST_NAME, content, folder)
    sync(folder)
    _check_read_back(folder, content)
    return manifest


def _seal_file(name: str, folder: int) -> FileRecord:
    """Give a file the umask's mode, sync it, and hash its content on disk."""
    check_plain_name(name)
    with open_regular(name, folder) as descriptor:
        os.fchmod(descriptor, umask_mode(folder))
        sha256 = sync_and_hash(name, descriptor)
        return FileRecord(os.fstat(descriptor).st_size, sha256)


def _check_read_back(folder: int, content: bytes) -> None:
    with open_regular(MANIFEST_NAME, folder) as descriptor:
        found = os.read(descriptor, len(content) + 1)
    if found != content:
        raise CheckpointError(
            f"`{MANIFEST_NAME}` reads back differently than it was written; the disk is failing."
        )
