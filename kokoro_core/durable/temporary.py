"""Temporary folders for unfinished files: created, removed, and swept after their process dies."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from kokoro_core.durable.disk import open_folder
from kokoro_core.durable.identity import ProcessIdentity

_NAME = re.compile(r"\.tmp-[a-z0-9]+-(?P<identity>[0-9]+-[0-9]+-[0-9a-f]{8})-[0-9]+")


@dataclass(frozen=True)
class Temporary:
    """A folder that is being written.

    Attributes:
        name: Its name in the parent folder.
        path: Its full path.
        descriptor: Its open descriptor.
    """

    name: str
    path: Path
    descriptor: int


@contextmanager
def temporary_folder(parent: Path, folder: int, label: str) -> Iterator[Temporary]:
    """Yield a new folder inside another; what is left of it at the end is removed.

    It is locked while in use, so that machines which cannot see its process do not sweep it.

    Args:
        parent: The parent folder.
        folder: The parent's open descriptor.
        label: Lower-case letters and digits that describe its purpose.

    Raises:
        OSError: The file system reports an error.
    """
    name = _make(folder, label)
    try:
        with open_folder(name, inside=folder) as descriptor:
            with suppress(OSError):  # without locks, nothing is swept
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Temporary(name, parent / name, descriptor)
    finally:
        with suppress(OSError):  # leftovers are swept later
            remove_folder(name, folder)


def free_name(folder: int, label: str) -> str:
    """Return an unused name for a temporary."""
    taken = set(os.listdir(folder))
    names = (f".tmp-{label}-{ProcessIdentity.own()}-{number}" for number in count())
    return next(name for name in names if name not in taken)


def _make(folder: int, label: str) -> str:
    while True:
        name = free_name(folder, label)
        with suppress(FileExistsError):  # another thread took it just now
            os.mkdir(name, dir_fd=folder)
            return name


def remove_folder(name: str, folder: int) -> None:
    """Remove a folder and its content, if it exists; links are not followed.

    Raises:
        OSError: The file system reports an error.
    """
    with suppress(FileNotFoundError):
        shutil.rmtree(name, dir_fd=folder)


def sweep(folder: int) -> None:
    """Remove the temporaries of dead processes, and nothing else."""
    for name in os.listdir(folder):
        found = _NAME.fullmatch(name)
        identity = found and ProcessIdentity.parse(found["identity"])
        if identity and not identity.is_alive():
            # A PID that is dead here may run on another machine with this folder: try the lock.
            with suppress(OSError):  # in use after all, a link, or not removable
                _sweep_one(name, folder)


def _sweep_one(name: str, folder: int) -> None:
    with open_folder(name, inside=folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_folder(name, folder)
