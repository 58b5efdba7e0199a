"""A log of what a piece of code asks of the disk, to be replayed with parts of it forgotten."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

TOP = 0
"""The number of the folder itself; every other file and folder gets one of its own."""


class Image:
    """What is on a disk: what each folder lists, and what each file holds, by number."""

    def __init__(self, folders: dict[int, dict[str, int]], files: dict[int, bytes]) -> None:
        self.folders, self.files = folders, files

    def copy(self) -> Image:
        return Image({number: dict(each) for number, each in self.folders.items()}, {**self.files})

    def tree(self, number: int = TOP) -> dict[str, Any]:
        """Return the names that can be reached, with the bytes under each."""
        return {
            name: self.tree(each) if each in self.folders else self.files[each]
            for name, each in sorted(self.folders[number].items())
        }

    def link(self, folder: int, name: str, number: int) -> None:
        self.folders[folder][name] = number

    def unlink(self, folder: int, name: str) -> None:
        self.folders[folder].pop(name, None)

    def move(self, old: tuple[int, str], new: tuple[int, str], number: int) -> None:
        if self.folders[old[0]].get(old[1]) == number:
            self.unlink(*old)
        self.link(*new, number)

    def write(self, number: int, offset: int, data: bytes) -> None:
        before = self.files[number].ljust(offset, b"\0")
        self.files[number] = before[:offset] + data + before[offset + len(data) :]

    def cut(self, number: int, size: int) -> None:
        self.files[number] = self.files[number][:size].ljust(size, b"\0")


@dataclass(frozen=True)
class Operation:
    """Something that was asked of the disk.

    Attributes:
        of: The numbers of what has to be synced for it to stay.
        apply: Does it to an image.
        torn: Does the first of so many parts of it, if it has parts.
    """

    of: frozenset[int]
    apply: Callable[[Image], None]
    torn: Callable[[Image, int], None] | None = None


@dataclass(frozen=True)
class Sync:
    """That the caller waited for a file or folder."""

    of: int
    is_folder: bool


class Recorder:
    """A watcher that makes every call and logs what it changes below a folder.

    Attributes:
        image: What is there at the start; what is made later is there too, empty and out of reach.
        log: What was asked, in order.
    """

    def __init__(self, top: Path) -> None:
        self.image, self.log = Image({}, {}), list[Operation | Sync]()
        self._numbers: dict[int, int] = {}
        self._opened: dict[int, int] = {}
        self._know(top)

    def __call__(
        self, name: str, call: Callable[[], Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        known = getattr(self, f"_{name}", None)
        return known(call, *args, **kwargs) if known else call()

    def _know(self, path: Path) -> int:
        """Take what is there into the image; the top gets 0."""
        number = self._new(path.stat().st_ino, is_folder=path.is_dir())
        if path.is_dir():
            for each in sorted(path.iterdir()):
                self.image.link(number, each.name, self._know(each))
        else:
            self.image.files[number] = path.read_bytes()
        return number

    def _new(self, inode: int, *, is_folder: bool) -> int:
        """Give a number to something new, since the system uses its own again."""
        number = len(self.image.folders) + len(self.image.files)
        self._numbers[inode] = number
        if is_folder:
            self.image.folders[number] = {}
        else:
            self.image.files[number] = b""
        return number

    def _where(self, path: Any, folder: int | None) -> tuple[int, str] | None:
        """Return the number of the folder that a path is in, and the name; nothing if outside."""
        parent, name = os.path.split(os.fspath(path))
        try:
            inode = (os.stat(parent) if folder is None else os.fstat(folder)).st_ino
        except FileNotFoundError:
            return None
        return (self._numbers[inode], name) if inode in self._numbers else None

    def _inode(self, path: Any, folder: int | None) -> int | None:
        try:
            return os.stat(path, dir_fd=folder, follow_symlinks=False).st_ino
        except FileNotFoundError:
            return None

    def _add(self, *of: int, apply: Any, torn: Any = None) -> None:
        self.log.append(Operation(frozenset(of), apply, torn))

    def _open(
        self, call: Any, path: Any, flags: int, mode: int = 0, *, dir_fd: int | None = None
    ) -> int:
        where, before = self._where(path, dir_fd), self._inode(path, dir_fd)
        descriptor: int = call()
        inode = os.fstat(descriptor).st_ino
        if where and before is None:
            number = self._new(inode, is_folder=False)
            self._add(
                where[0], apply=partial(Image.link, folder=where[0], name=where[1], number=number)
            )
        elif where and flags & os.O_TRUNC:
            number = self._numbers[inode]
            self._add(number, apply=partial(Image.cut, number=number, size=0))
        if inode in self._numbers:
            self._opened[descriptor] = self._numbers[inode]
        return descriptor

    def _close(self, call: Any, descriptor: int) -> None:
        self._opened.pop(descriptor, None)
        call()

    def _write(self, call: Any, descriptor: int, data: Any) -> int:
        return self._data(call, descriptor, data, os.lseek(descriptor, 0, os.SEEK_CUR))

    def _pwrite(self, call: Any, descriptor: int, data: Any, offset: int) -> int:
        return self._data(call, descriptor, data, offset)

    def _data(self, call: Any, descriptor: int, data: Any, offset: int) -> int:
        count: int = call()
        number, taken = self._opened[descriptor], bytes(data)[:count]

        def torn(image: Image, parts: int) -> None:
            image.write(number, offset, taken[: count // parts])

        whole = partial(Image.write, number=number, offset=offset, data=taken)
        self._add(number, apply=whole, torn=torn)
        return count

    def _ftruncate(self, call: Any, descriptor: int, size: int) -> None:
        call()
        number = self._opened[descriptor]
        self._add(number, apply=partial(Image.cut, number=number, size=size))

    def _mkdir(self, call: Any, path: Any, mode: int = 0, *, dir_fd: int | None = None) -> None:
        call()
        where, inode = self._where(path, dir_fd), self._inode(path, dir_fd)
        if where and inode is not None:
            number = self._new(inode, is_folder=True)
            self._add(
                where[0], apply=partial(Image.link, folder=where[0], name=where[1], number=number)
            )

    def _rename(
        self, call: Any, path: Any, to: Any, *, src_dir_fd: int | None, dst_dir_fd: int | None
    ) -> None:
        old, new = self._where(path, src_dir_fd), self._where(to, dst_dir_fd)
        inode = self._inode(path, src_dir_fd)
        call()
        if old and new and inode is not None:
            number = self._numbers[inode]
            self._add(old[0], new[0], apply=partial(Image.move, old=old, new=new, number=number))

    def _unlink(self, call: Any, path: Any, *, dir_fd: int | None = None) -> None:
        where = self._where(path, dir_fd)
        call()
        if where:
            self._add(where[0], apply=partial(Image.unlink, folder=where[0], name=where[1]))

    _rmdir = _unlink

    def _fsync(self, call: Any, descriptor: int) -> None:
        call()
        if descriptor in self._opened:
            number = self._opened[descriptor]
            self.log.append(Sync(number, number in self.image.folders))
