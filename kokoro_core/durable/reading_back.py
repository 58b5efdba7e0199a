"""Hash what was written as the memory has it and, close behind, as the disk gives it back."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from kokoro_core.durable.disk import sync
from kokoro_core.outer_contracts import CheckpointError

_CHUNK = 4 * 2**20
_FETCHED_AHEAD = 2
"""Pieces that the disk reads while an earlier one is hashed; more were no faster when measured."""

_Span = tuple[int, int]


def sync_and_hash(name: str, descriptor: int) -> str:
    """Bring an open file to the disk and return the SHA-256 that it has in memory and there.

    The first hash runs beside the sync. The second follows it through the file, piece by piece,
    after the system was told to forget the piece; on two cores both take the time of one.

    Raises:
        CheckpointError: The disk gives back something else than was written.
        OSError: The file system refuses.
    """
    size = os.fstat(descriptor).st_size
    hashed: SimpleQueue[_Span | None] = SimpleQueue()
    with ThreadPoolExecutor(1) as beside:
        written = beside.submit(_hash_ahead, descriptor, size, hashed)
        sync(descriptor)
        found = _hash(descriptor, _from_disk(descriptor, iter(hashed.get, None)))
        expected = written.result()
    if found != expected:
        raise CheckpointError(
            f"`{name}` reads back as something else than was written; the disk is failing, or "
            "another program writes to it."
        )
    return found


def _hash_ahead(descriptor: int, size: int, hashed: SimpleQueue[_Span | None]) -> str:
    """Hash a file and say of each piece when it is done; the end is said whatever happens."""
    spans = [(start, min(_CHUNK, size - start)) for start in range(0, size, _CHUNK)]
    try:
        return _hash(descriptor, spans, done=hashed.put)
    finally:
        hashed.put(None)


def _from_disk(descriptor: int, spans: Iterable[_Span]) -> Iterator[_Span]:
    """Have the system forget each piece and fetch it again, and give it a few pieces later."""
    fetched: deque[_Span] = deque()
    for span in spans:
        _advise(descriptor, span, "POSIX_FADV_DONTNEED")
        _advise(descriptor, span, "POSIX_FADV_WILLNEED")
        fetched.append(span)
        if len(fetched) > _FETCHED_AHEAD:
            yield fetched.popleft()
    yield from fetched


def _advise(descriptor: int, span: _Span, advice: str) -> None:
    if hasattr(os, advice):  # macOS has none; there, what is read back may come from memory
        os.posix_fadvise(descriptor, *span, getattr(os, advice))


def _hash(
    descriptor: int, spans: Iterable[_Span], *, done: Callable[[_Span], None] | None = None
) -> str:
    digest = hashlib.sha256()
    for start, length in spans:
        digest.update(_read(descriptor, start, length))
        if done:
            done((start, length))
    return digest.hexdigest()


def _read(descriptor: int, start: int, length: int) -> bytes:
    """Return a piece of a file, or what there is of it; one read may give less."""
    piece = os.pread(descriptor, length, start)
    while len(piece) < length and (
        more := os.pread(descriptor, length - len(piece), start + len(piece))
    ):
        piece += more
    return piece
