"""SHA-256 in a separate thread while reading: hashlib releases the GIL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from typing import final


@final
class HashBeside:
    """Hashes pieces in the order in which they are passed in.

    Args:
        start: The bytes before all of them.
        worker: A pool of one thread.
    """

    def __init__(self, start: bytes, worker: ThreadPoolExecutor) -> None:
        self._digest = sha256(start)
        self._worker = worker

    def update(self, piece: memoryview) -> Future[None]:
        """Submit a piece, which must not change until the future is done."""
        return self._worker.submit(self._digest.update, piece)

    def hexdigest(self) -> str:
        """Wait for all pieces and return their SHA-256."""
        return self._worker.submit(self._digest.hexdigest).result()


@final
class PassingBuffers:
    """Two buffers for bytes that are only hashed: one is filled while the other is hashed.

    Args:
        size: Bytes of one buffer.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._buffers: list[memoryview] = []  # allocated at the first use
        self._hashed: list[Future[None] | None] = [None, None]
        self._turn = 0

    def fill(self, size: int, read: Callable[[memoryview], Future[None] | None]) -> None:
        """Have this many bytes read and submitted as soon as a buffer is free."""
        self._buffers = self._buffers or [memoryview(bytearray(self._size)) for _ in range(2)]
        self._turn = 1 - self._turn
        if (before := self._hashed[self._turn]) is not None:
            before.result()
        self._hashed[self._turn] = read(self._buffers[self._turn][:size])


@contextmanager
def hash_beside(start: bytes) -> Iterator[HashBeside]:
    """Yield a hash; leaving the block early waits for one piece and drops the rest."""
    worker = ThreadPoolExecutor(1, thread_name_prefix="content-hash")
    try:
        yield HashBeside(start, worker)
    finally:
        worker.shutdown(cancel_futures=True)
