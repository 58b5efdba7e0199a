"""The few things that the room asks of the disk, each relative to an open folder.

A name is resolved once, when its folder is opened, so that a link put in its place afterwards
leads nowhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kokoro_core.errors import CheckpointError

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,255}")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""No link is followed, and a pipe without a writer is not waited for."""


def check_plain_name(name: str) -> None:
    """Refuse a name that could lead out of its folder or that some file system has not.

    Raises:
        CheckpointError: The name has more than letters, digits, dots, underscores and hyphens.
    """
    if not _PLAIN.fullmatch(name) or name in {".", ".."}:
        raise CheckpointError(
            f"`{name!a}` must be a plain file name: 1 to 255 letters, digits, dots, underscores "
            "and hyphens; it may not name another folder."
        )


@contextmanager
def open_folder(path: Path | str, inside: int | None = None) -> Iterator[int]:
    """Give the descriptor of a folder; one inside another may not be a link.

    Raises:
        OSError: There is none, or it is no folder.
    """
    flags = _FOLDER if inside is None else _FOLDER | os.O_NOFOLLOW
    descriptor = os.open(path, flags, dir_fd=inside)
    try:
        yield descriptor
    finally:
        close_read(descriptor)


@contextmanager
def open_regular(name: str, folder: int) -> Iterator[int]:
    """Give the descriptor of a regular file in a folder, to read.

    Args:
        name: A name without a folder in it.
        folder: The folder, open.

    Raises:
        CheckpointError: It is a link, a pipe, a device or a folder.
        OSError: There is no such file, or it may not be read.
    """
    descriptor = open_file(name, folder)
    try:
        yield descriptor
    finally:
        close_read(descriptor)


def open_file(name: str, folder: int) -> int:
    """Return what `open_regular` gives; the caller closes it."""
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if not stat.S_ISREG(mode):  # opening a device can have effects, so it is looked at before
        raise CheckpointError(f"`{name}` must be a regular file; it is {_kind(mode)}.")
    descriptor = os.open(name, _FILE, dir_fd=folder)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        close_read(descriptor)
        raise CheckpointError(f"`{name}` must be a regular file; it is {_kind(mode)}.")
    return descriptor


def close_read(descriptor: int) -> None:
    """Close what nothing was written through, so that a failure to do so loses nothing."""
    with suppress(OSError):
        os.close(descriptor)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def sha256_of(descriptor: int) -> str:
    """Return the SHA-256 of a file from its start, in hexadecimal."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with open(descriptor, "rb", buffering=0, closefd=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_new(name: str, content: bytes, folder: int) -> None:
    """Make a file with this content and wait until it is on the disk.

    Raises:
        FileExistsError: There is something of that name.
        OSError: The file system refuses.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o666, dir_fd=folder)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        sync(descriptor)
    finally:
        os.close(descriptor)


def sync(descriptor: int) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk.

    On macOS `fsync` leaves it in the drive's cache (`man 2 fsync`), so a full flush is asked for.
    """
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def umask_mode(folder: int) -> int:
    """Return the mode that a new file has beside a folder that was made without a mode of its own.

    The umask itself can be read only by setting it, for all threads.
    """
    return stat.S_IMODE(os.fstat(folder).st_mode) & 0o666


def make_folders(path: Path) -> None:
    """Make a folder and those above it, so that a power cut does not take them away again.

    Raises:
        OSError: The file system refuses, or a file has that name.
    """
    if path.is_dir():
        return
    make_folders(path.parent)
    path.mkdir(exist_ok=True)
    with open_folder(path.parent) as parent:
        sync(parent)
