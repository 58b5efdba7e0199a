"""Hash what was written as the memory has it and, close behind, as the disk gives it back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from kokoro_core.durable.disk import sync
from kokoro_core.outer_contracts import CheckpointError

_SPAN = 32 * 2**20
"""Bytes that the system is told to forget at once; it reads ahead only within what it forgot."""

_PIECE = 2**20


def sync_and_hash(name: str, descriptor: int) -> str:
    """Bring an open file to the disk and return the SHA-256 that it has in memory and there.

    The first hash runs beside the sync. The second follows it through the file, span by span, after
    the system was told to forget the span; on two cores both take little more than one.

    Raises:
        CheckpointError: The disk gives back something else than was written.
        OSError: The file system refuses.
    """
    spans = range(0, os.fstat(descriptor).st_size, _SPAN)
    hashed: SimpleQueue[int | None] = SimpleQueue()
    with ThreadPoolExecutor(1) as beside:
        written = beside.submit(_hash_ahead, descriptor, spans, hashed)
        sync(descriptor)
        found = _hash(descriptor, _from_disk(descriptor, iter(hashed.get, None)))
        expected = written.result()
    if found != expected:
        raise CheckpointError(
            f"`{name}` reads back as something else than was written; the disk is failing, or "
            "another program writes to it."
        )
    return found


def _hash_ahead(descriptor: int, spans: Iterable[int], hashed: SimpleQueue[int | None]) -> str:
    """Hash a file and say of each span when it is done; the end is said whatever happens."""
    try:
        return _hash(descriptor, _then_said(spans, hashed))
    finally:
        hashed.put(None)


def _then_said(spans: Iterable[int], hashed: SimpleQueue[int | None]) -> Iterator[int]:
    for span in spans:
        yield span
        hashed.put(span)


def _from_disk(descriptor: int, spans: Iterable[int]) -> Iterator[int]:
    """Have the system forget each span before it is read."""
    for span in spans:
        if hasattr(os, "posix_fadvise"):  # macOS has none: there, it may come from memory
            os.posix_fadvise(descriptor, span, _SPAN, os.POSIX_FADV_DONTNEED)
        yield span


def _hash(descriptor: int, spans: Iterable[int]) -> str:
    """Return the SHA-256 of a file that is read in spans, each from where it starts."""
    digest = hashlib.sha256()
    for span in spans:
        at, end = span, span + _SPAN
        while at < end and (piece := os.pread(descriptor, min(_PIECE, end - at), at)):
            digest.update(piece)
            at += len(piece)
    return digest.hexdigest()
