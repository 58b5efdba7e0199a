"""Hash what was written as the memory has it and, close behind, as the disk gives it back."""

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
"""Bytes that the system is told to forget at once; it reads ahead only within what it forgot."""

_PIECE = 2**20
_AHEAD = 4
"""Bytes of a read, and how many reads are on their way while one piece is hashed."""


def sync_and_hash(name: str, descriptor: int) -> str:
    """Bring an open file to the disk and return the SHA-256 that it has in memory and there.

    The first hash runs beside the sync. The second follows it through the file, span by span, after
    the system was told to forget the span; on two cores both take little more than one.

    Raises:
        CheckpointError: The disk gives back something else than was written.
        OSError: The file system refuses.
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
            f"`{name}` reads back as something else than was written; the disk is failing, or "
            "another program writes to it."
        )
    return found


def _hash_ahead(descriptor: int, size: int, hashed: SimpleQueue[int | None]) -> str:
    """Hash a file and say of each span when it is done; the end is said whatever happens."""
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
    """Have the system forget each span before it is read."""
    for span in spans:
        if hasattr(os, "posix_fadvise"):  # macOS has none: there, it may come from memory
            os.posix_fadvise(descriptor, span, _SPAN, os.POSIX_FADV_DONTNEED)
        yield span


def _places(spans: Iterable[int], size: int) -> Iterator[int]:
    """Yield where each piece of each span starts."""
    for span in spans:
        yield from range(span, min(span + _SPAN, size), _PIECE)


def _read(descriptor: int, at: int) -> bytes:
    """Return a piece of a file, or what there is of it; one read may give less."""
    parts, left = [], _PIECE
    while left and (part := os.pread(descriptor, left, at + _PIECE - left)):
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_ahead(
    descriptor: int, places: Iterable[int], pool: ThreadPoolExecutor
) -> Iterator[bytes]:
    """Yield the pieces at some places, the next of them on their way meanwhile."""
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
