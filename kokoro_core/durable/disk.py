"""The disk operations of this package, all relative to an open folder.

A folder's name is resolved once, when it is opened, so a link put in its place afterwards
has no effect.
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
"""Links are not followed, and opening a pipe without a writer does not block."""


def check_plain_name(name: str) -> None:
    """Reject a name that could lead out of its folder or that some file systems do not support.

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
    """Yield the descriptor of a folder; one inside another must not be a link.

    Raises:
        OSError: It does not exist, or is not a folder.
    """
    flags = _FOLDER if inside is None else _FOLDER | os.O_NOFOLLOW
    descriptor = os.open(path, flags, dir_fd=inside)
    try:
        yield descriptor
    finally:
        close_read(descriptor)


@contextmanager
def open_regular(name: str, folder: int) -> Iterator[int]:
    """Yield the descriptor of a regular file in a folder, for reading.

    Args:
        name: A name without a path.
        folder: The folder, open.

    Raises:
        CheckpointError: It is a link, a pipe, a device or a folder.
        OSError: The file does not exist or is not readable.
    """
    descriptor = open_file(name, folder)
    try:
        yield descriptor
    finally:
        close_read(descriptor)


def open_file(name: str, folder: int) -> int:
    """Return the descriptor that `open_regular` yields; the caller closes it."""
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if not stat.S_ISREG(mode):  # opening a device can have side effects, so check first
        raise CheckpointError(f"`{name}` must be a regular file; it is {_kind(mode)}.")
    descriptor = os.open(name, _FILE, dir_fd=folder)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        close_read(descriptor)
        raise CheckpointError(f"`{name}` must be a regular file; it is {_kind(mode)}.")
    return descriptor


def close_read(descriptor: int) -> None:
    """Close a descriptor that was only read; an error here cannot lose data."""
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
    """Create a file with this content and wait until it is on disk.

    Raises:
        FileExistsError: The name is taken.
        OSError: The file system reports an error.
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
    """Wait until a file's content, or a folder's list of names, is on disk.

    On macOS `fsync` leaves it in the drive's cache (`man 2 fsync`), so request a full flush.
    """
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def umask_mode(folder: int) -> int:
    """Return the mode of a new file next to a folder that was created without an explicit mode.

    The umask itself can be read only by setting it, which would affect all threads.
    """
    return stat.S_IMODE(os.fstat(folder).st_mode) & 0o666


def make_folders(path: Path) -> None:
    """Create a folder and its parents, and sync them, so that they survive a power cut.

    Raises:
        OSError: The file system reports an error, or a file has that name.
    """
    if path.is_dir():
        return
    make_folders(path.parent)
    path.mkdir(exist_ok=True)
    with open_folder(path.parent) as parent:
        sync(parent)
