"""Watch the calls to the operating system that a piece of code makes, and step in before one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

_OF_OS = (
    *("open", "close", "write", "pwrite", "ftruncate", "fsync", "fchmod", "lseek"),
    *("rename", "mkdir", "unlink", "rmdir", "listdir", "scandir"),
    *("stat", "lstat", "fstat", "posix_fadvise"),
)
CALLS = (
    *((os, name) for name in _OF_OS if hasattr(os, name)),
    (fcntl, "flock"),
    (hashlib, "file_digest"),
)
"""Every call of the room: those of `pathlib` and `shutil` go through `os` as well."""

CHANGING = frozenset(
    (
        "open",
        "write",
        "pwrite",
        "ftruncate",
        "fsync",
        "fchmod",
        "rename",
        "mkdir",
        "unlink",
        "rmdir",
    )
)
"""The calls after which something is different for other processes."""

Watcher = Callable[[str, Callable[[], Any], tuple[Any, ...], dict[str, Any]], Any]


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Hand each call of this thread to a watcher, which makes it or does not.

    The watcher's own calls go by unseen.
    """
    owner, busy = threading.get_ident(), False

    def hook(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(real)
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal busy
            if busy or threading.get_ident() != owner:
                return real(*args, **kwargs)
            busy = True
            try:
                return watcher(name, lambda: real(*args, **kwargs), args, kwargs)
            finally:
                busy = False

        return call

    patches = [
        patch.object(module, name, hook(name, getattr(module, name))) for module, name in CALLS
    ]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def names_of_calls(action: Callable[[], Any]) -> list[str]:
    """Return the names of the calls that an action makes."""
    names: list[str] = []

    def note(name: str, call: Callable[[], Any], *_: Any) -> Any:
        names.append(name)
        return call()

    with watched(note):
        action()
    return names


def before_call(number: int, act: Callable[[str], None]) -> Watcher:
    """Return a watcher that acts before one call, counted from 0, and makes every call."""
    seen = 0

    def watch(name: str, call: Callable[[], Any], *_: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen - 1 == number:
            act(name)
        return call()

    return watch
