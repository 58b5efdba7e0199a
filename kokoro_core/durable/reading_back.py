"""Hash written files in memory and, closely behind, as read back from disk."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

from kokoro_core.durable.disk import sync
from kokoro_core.errors import CheckpointError

_SPAN = 32 * 2**20
"""Bytes dropped from the page cache at a time; the system reads ahead only within them."""

_PIECE = 2**20
_AHEAD = 4
"""Bytes per read, and how many reads are in flight while one piece is hashed."""


def sync_and_hash(name: str, descriptor: int) -> str:
    """Sync an open file and return its SHA-256, verified to be the same in memory and on disk.

    The first hash runs during the sync. The second follows it through the file, span by span, after
    the span was dropped from the page cache; on two cores both take little longer than one.

    Raises:
        CheckpointError: The disk returns other content than was written.
        OSError: The file system reports an error.
    """
    size = os.fstat(descriptor).st_size
    hashed: SimpleQueue[int | None] = SimpleQueue()
    with ThreadPoolExecutor(2) as beside:
        written = beside.submit(_hash_ahead, descriptor, size, hashed)
        sync(descriptor)
        places = _places(_forgotten(descriptor, iter(hashed.get, None)), size)
        found = _hash(_read_ahead(descriptor, places, beside))
        expected = written.result()
    if found != expected:
        raise CheckpointError(
            f"`{name}` reads back differently than it was written; the disk is failing, or "
            "another program writes to it."
        )
    return found


def _hash_ahead(descriptor: int, size: int, hashed: SimpleQueue[int | None]) -> str:
    """Hash a file, announcing every finished span; the end is announced whatever happens."""
    try:
        places = _places(_then_said(range(0, size, _SPAN), hashed), size)
        return _hash(_read(descriptor, at) for at in places)
    finally:
        hashed.put(None)


def _then_said(spans: Iterable[int], hashed: SimpleQueue[int | None]) -> Iterator[int]:
    for span in spans:
        yield span
        hashed.put(span)


def _forgotten(descriptor: int, spans: Iterable[int]) -> Iterator[int]:
    """Drop every span from the page cache before it is read."""
    for span in spans:
        if hasattr(os, "posix_fadvise"):  # missing on macOS, where the data may come from memory
            os.posix_fadvise(descriptor, span, _SPAN, os.POSIX_FADV_DONTNEED)
        yield span


def _places(spans: Iterable[int], size: int) -> Iterator[int]:
    """Yield the start of each piece of each span."""
    for span in spans:
        yield from range(span, min(span + _SPAN, size), _PIECE)


def _read(descriptor: int, at: int) -> bytes:
    """Return a piece of a file, shorter only at its end; a single `pread` may return less."""
    parts, left = [], _PIECE
    while left and (part := os.pread(descriptor, left, at + _PIECE - left)):
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_ahead(
    descriptor: int, places: Iterable[int], pool: ThreadPoolExecutor
) -> Iterator[bytes]:
    """Yield the pieces at these offsets, reading ahead meanwhile."""
    coming: deque[Future[bytes]] = deque()
    for at in places:
        coming.append(pool.submit(_read, descriptor, at))
        if len(coming) > _AHEAD:
            yield coming.popleft().result()
    for each in coming:
        yield each.result()


def _hash(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for each in pieces:
        digest.update(each)
    return digest.hexdigest()
