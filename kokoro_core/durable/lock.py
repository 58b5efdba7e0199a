"""One writer at a time: a lock that is released when its process ends, however that happens."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from kokoro_core.durable.disk import close_read
from kokoro_core.durable.identity import ProcessIdentity
from kokoro_core.errors import CheckpointError

LOCK_NAME = ".lock"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class WriterLock:
    """The right to write to a folder, held by one process and reentrant within it.

    It is `flock` on a permanent file that contains the holder's identity, for the error that others
    get. A forked child does not hold the lock, and does not keep it when its parent dies.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._descriptor: int | None = None
        self._depth = 0
        self._mutex = Lock()
        this = weakref.ref(self)  # the callback is never unregistered and must not keep it alive
        os.register_at_fork(after_in_child=lambda: _forget(this()))

    @contextmanager
    def held(self, folder: int) -> Iterator[bool]:
        """Hold the lock; yield whether it was acquired now rather than held already.

        Args:
            folder: The folder to write to, open.

        Raises:
            CheckpointError: Another process writes to the folder; the message names it.
            OSError: The file system reports an error.
        """
        with self._mutex:
            if first := self._depth == 0:
                self._descriptor = self._take(folder)
            self._depth += 1
        try:
            yield first
        finally:
            with self._mutex:
                self._depth -= 1
                if self._depth == 0:
                    self.drop()

    def _take(self, folder: int) -> int:
        descriptor = os.open(LOCK_NAME, _FLAGS, 0o666, dir_fd=folder)
        try:
            # Not a record lock: closing any descriptor of the file in this process would drop it.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, _card(), 0)
        except BaseException as error:
            holder = os.pread(descriptor, 4096, 0)
            close_read(descriptor)
            if isinstance(error, BlockingIOError):
                raise CheckpointError(
                    f"`{self._root}` is being written to by {_describe(holder)}; a folder has one "
                    "writer at a time. Wait for it, stop it, or write to another folder."
                ) from None
            raise
        return descriptor

    def drop(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            close_read(self._descriptor)
            self._descriptor = None


def _forget(lock: WriterLock | None) -> None:
    """Leave the lock to the parent; closing an inherited descriptor does not release it."""
    if lock is not None:
        lock.drop()
        lock._depth, lock._mutex = 0, Lock()


def _card() -> bytes:
    identity = ProcessIdentity.own()
    values = {"boot": identity.boot, "host": socket.gethostname(), "pid": identity.pid}
    return json.dumps(values, sort_keys=True).encode()


def _describe(card: bytes) -> str:
    """Return who holds a lock, from the identity in the file, which may be incomplete."""
    with suppress(ValueError, KeyError, TypeError):
        values = json.loads(card)
        return f"process {int(values['pid'])} on {values['host']!a} (boot {values['boot']!a})"
    return "another process"
