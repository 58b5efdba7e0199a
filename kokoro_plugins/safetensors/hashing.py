"""SHA-256 in a thread of its own, beside the reading: hashlib lets other threads run meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from typing import final


@final
class HashBeside:
    """Hashes pieces in the order in which they are handed over.

    Args:
        start: What comes before all of them.
        worker: A pool of one thread.
    """

    def __init__(self, start: bytes, worker: ThreadPoolExecutor) -> None:
        self._digest = sha256(start)
        self._worker = worker

    def update(self, piece: memoryview) -> Future[None]:
        """Hand over a piece, which must stay as it is until the future is done."""
        return self._worker.submit(self._digest.update, piece)

    def hexdigest(self) -> str:
        """Return the SHA-256 of all pieces, when it is there."""
        return self._worker.submit(self._digest.hexdigest).result()


@contextmanager
def hash_beside(start: bytes) -> Iterator[HashBeside]:
    """Give a hash; whoever leaves the block early waits for one piece and not for all."""
    worker = ThreadPoolExecutor(1, thread_name_prefix="content-hash")
    try:
        yield HashBeside(start, worker)
    finally:
        worker.shutdown(cancel_futures=True)
