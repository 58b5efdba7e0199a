"""One safetensors file, open: checked before anything of it is used, hashed while it is read."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, final

from kokoro_core.durable.disk import open_folder, open_regular
from kokoro_core.outer_contracts import CheckpointError, OpenCheckpoint
from kokoro_plugins.safetensors.envelope import unwrap, without_digits
from kokoro_plugins.safetensors.header import (
    LENGTH,
    Entry,
    HeaderFault,
    header_length,
    parse_header,
)

if TYPE_CHECKING:
    from hashlib import _Hash

    from torch import Tensor

CHUNK = 2**20
"""Bytes that are hashed right after they are read, while a core's cache has them."""


@final
class SafetensorsFile(OpenCheckpoint):
    """A file of which the header has been read and checked, and nothing else."""

    def __init__(self, path: object, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._start = _read_start(path, descriptor)
        body = os.fstat(descriptor).st_size - len(self._start)
        try:
            header = parse_header(self._start[LENGTH.size :], body)
        except HeaderFault as fault:
            raise _no_safetensors(path, fault) from None
        self.content_hash, self.metadata = unwrap(path, self._start, header)
        self.layout = {name: entry.info for name, entry in header.tensors.items()}
        self._entries = header.tensors

    def read(
        self, device: str = "cpu", *, names: Collection[str] | None = None, verify: bool = True
    ) -> dict[str, Tensor]:
        """Return the tensors; see `OpenCheckpoint.read`.

        Raises:
            CheckpointError: The content is not what was saved.
        """
        if not verify or self.content_hash is None:
            return dict(self._tensors(device, names, None))
        digest = sha256(without_digits(self._start))
        tensors = dict(self._tensors(device, names, digest))
        self._compare(digest.hexdigest())
        return tensors

    def verify(self) -> None:
        """Read everything and keep nothing.

        Raises:
            CheckpointError: The content is not what was saved, or the file states no hash.
        """
        if self.content_hash is None:
            raise CheckpointError(
                f"`{self._path}` is of the first version and states no content hash, so nothing "
                f"can tell whether it is damaged; `kokoro-core checkpoint convert` gives it one."
            )
        self.read(names=(), verify=True)

    def _tensors(
        self, device: str, names: Collection[str] | None, digest: _Hash | None
    ) -> Iterator[tuple[str, Tensor]]:
        from kokoro_plugins.safetensors.memory import bytes_of, empty

        at = len(self._start)
        for name, entry in self._entries.items():
            if names is None or name in names:
                tensor = empty(entry.info)
                self._fill(bytes_of(tensor), at + entry.start, digest)
                yield name, tensor.to(device)
            elif digest is not None:
                self._pass_over(entry, at, digest)

    def _pass_over(self, entry: Entry, at: int, digest: _Hash) -> None:
        """Hash the bytes of a tensor that nobody wants."""
        buffer = memoryview(bytearray(min(CHUNK, entry.end - entry.start)))
        for start in range(entry.start, entry.end, CHUNK):
            self._fill(buffer[: min(CHUNK, entry.end - start)], at + start, digest)

    def _fill(self, content: memoryview, at: int, digest: _Hash | None) -> None:
        """Read bytes from a place of the file to the end of a buffer."""
        done = 0
        while done < len(content):
            with _disk_errors(self._path):
                count = os.preadv(self._descriptor, [content[done : done + CHUNK]], at + done)
            if count == 0:
                raise CheckpointError(f"`{self._path}` became shorter while it was read.")
            if digest is not None:
                digest.update(content[done : done + count])
            done += count

    def _compare(self, found: str) -> None:
        if found != self.content_hash:
            raise CheckpointError(
                f"`{self._path}` is damaged: its content has the SHA-256 {found[:12]}…, and it "
                f"states {str(self.content_hash)[:12]}…; nothing of it was used; take another copy."
            )


@contextmanager
def open_file(path: Path) -> Iterator[SafetensorsFile]:
    """Open a file; everything is read from the one that was opened, whatever its name becomes.

    Raises:
        CheckpointError: It is missing, no regular file, or not a checkpoint.
    """
    with opened(path) as descriptor:
        yield SafetensorsFile(path, descriptor)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Give the descriptor of a regular file; its folder may be a link, it may not.

    Raises:
        CheckpointError: It is missing, no regular file, or cannot be read.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(open_folder(path.parent))
            descriptor = stack.enter_context(open_regular(path.name, folder))
        except FileNotFoundError:
            raise CheckpointError(
                f"`{path}` does not exist; a checkpoint is a .safetensors file."
            ) from None
        except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
            raise CheckpointError(f"`{path}` could not be read: {_said(error)}") from error
        yield descriptor


@contextmanager
def _disk_errors(path: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"`{path}` could not be read: {_said(error)}") from error


def _said(error: Exception) -> str:
    text = str(error)
    return text if text.endswith(".") else f"{text}."


def _read_start(path: object, descriptor: int) -> bytes:
    """Return the file up to its body."""
    try:
        with _disk_errors(path):
            start = os.pread(descriptor, LENGTH.size, 0)
            length = header_length(start, os.fstat(descriptor).st_size)
            text = os.pread(descriptor, length, LENGTH.size)
        if len(text) < length:
            raise HeaderFault("its header ends early")
    except HeaderFault as fault:
        raise _no_safetensors(path, fault) from None
    return start + text


def _no_safetensors(path: object, fault: HeaderFault) -> CheckpointError:
    return CheckpointError(
        f"`{path}` is not a safetensors file, or it is cut off or damaged: {fault}."
    )
