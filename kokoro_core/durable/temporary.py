"""Folders that hold what is not finished: made, given up, and swept when their process is dead."""

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
    """A folder that is being filled.

    Attributes:
        name: Its name in the folder around it.
        path: The same, from outside.
        descriptor: It itself, open.
    """

    name: str
    path: Path
    descriptor: int


@contextmanager
def temporary_folder(parent: Path, folder: int, label: str) -> Iterator[Temporary]:
    """Give a new folder inside another; what is left of it at the end is removed.

    It is locked while it is in use, so that nobody sweeps it who cannot see its process.

    Args:
        parent: The folder around it.
        folder: The same, open.
        label: Lower-case letters and digits that say what it is for.

    Raises:
        OSError: The file system refuses.
    """
    name = _make(folder, label)
    try:
        with open_folder(name, inside=folder) as descriptor:
            with suppress(OSError):  # where there are no locks, nothing is swept
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Temporary(name, parent / name, descriptor)
    finally:
        with suppress(OSError):  # what does not go now is swept later
            remove_folder(name, folder)


def free_name(folder: int, label: str) -> str:
    """Return a name for a temporary that nothing has."""
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
    """Remove a folder with all that is in it, if it is there; no link is followed.

    Raises:
        OSError: The file system refuses.
    """
    with suppress(FileNotFoundError):
        shutil.rmtree(name, dir_fd=folder)


def sweep(folder: int) -> None:
    """Remove the temporaries of dead processes, and nothing else."""
    for name in os.listdir(folder):
        found = _NAME.fullmatch(name)
        identity = found and ProcessIdentity.parse(found["identity"])
        if identity and not identity.is_alive():
            with suppress(OSError):  # in use after all, a link, or not to be removed
                _sweep_one(name, folder)


def _sweep_one(name: str, folder: int) -> None:
    with open_folder(name, inside=folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove_folder(name, folder)
