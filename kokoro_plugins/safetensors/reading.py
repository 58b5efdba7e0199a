"""An open safetensors file: checked before anything in it is used, hashed while being read."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, final

from kokoro_core.contracts import OpenCheckpoint
from kokoro_core.durable.disk import open_folder, open_regular
from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.envelope import unwrap, without_digits
from kokoro_plugins.safetensors.hashing import HashBeside, PassingBuffers, hash_beside
from kokoro_plugins.safetensors.header import (
    LENGTH,
    HeaderFault,
    header_length,
    parse_header,
)

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 2**20
"""Bytes per read; each chunk is hashed as it arrives."""


@final
class SafetensorsFile(OpenCheckpoint):
    """A file whose header has been read and checked; tensors are read on demand.

    Args:
        path: Its name in errors.
        descriptor: It, open.
        ours: Whether our metadata must be in it; without, it has no hash.
    """

    def __init__(self, path: object, descriptor: int, *, ours: bool = True) -> None:
        self._path = path
        self._descriptor = descriptor
        self._start = _read_start(path, descriptor)
        body = os.fstat(descriptor).st_size - len(self._start)
        try:
            header = parse_header(self._start[LENGTH.size :], body)
        except HeaderFault as fault:
            raise _no_safetensors(path, fault) from None
        self.content_hash, self.metadata = None, dict(header.metadata)
        if ours:
            self.content_hash, self.metadata = unwrap(path, self._start, header)
        self.layout = {name: stored.info for name, stored in header.tensors.items()}
        self._stored = header.tensors

    def read(
        self, device: str = "cpu", *, names: Collection[str] | None = None, verify: bool = True
    ) -> dict[str, Tensor]:
        """Return the tensors; see `OpenCheckpoint.read`.

        Raises:
            CheckpointError: The content is not what was saved.
        """
        with self.reading(device, names=names, verify=verify) as tensors:
            pass
        return tensors

    @contextmanager
    def reading(
        self, device: str = "cpu", *, names: Collection[str] | None = None, verify: bool = True
    ) -> Iterator[dict[str, Tensor]]:
        """Yield the tensors while their hash is still being computed; see `OpenCheckpoint.reading`.

        If the content is damaged, that error replaces any raised in the block.

        Raises:
            CheckpointError: The content is not what was saved.
        """
        if not verify or self.content_hash is None:
            yield dict(self._tensors(device, names, None))
            return
        with hash_beside(without_digits(self._start)) as hashing:
            tensors = dict(self._tensors(device, names, hashing))
            try:
                yield tensors
            except Exception:
                self._compare(hashing.hexdigest())
                raise
            self._compare(hashing.hexdigest())

    def verify(self) -> None:
        """Read and verify everything, keeping nothing.

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
        self, device: str, names: Collection[str] | None, hashing: HashBeside | None
    ) -> Iterator[tuple[str, Tensor]]:
        from kokoro_plugins.safetensors.memory import bytes_of, empty

        at, buffers = len(self._start), PassingBuffers(CHUNK)
        passed = at
        for name, stored in self._stored.items():
            if names is not None and name not in names:
                continue
            self._pass_over(passed, at + stored.start, hashing, buffers)
            passed = at + stored.end
            tensor = empty(stored.info)
            last = self._fill(bytes_of(tensor), at + stored.start, hashing)
            if device != "cpu" and last is not None:
                last.result()  # so that this tensor is freed before the next one
            yield name, tensor.to(device)
        end = max((each.end for each in self._stored.values()), default=0)
        self._pass_over(passed, at + end, hashing, buffers)

    def _pass_over(
        self, start: int, end: int, hashing: HashBeside | None, buffers: PassingBuffers
    ) -> None:
        """Hash bytes that are not wanted; without a hash they are not even read."""
        for at in range(start, end, CHUNK) if hashing is not None else ():
            buffers.fill(min(CHUNK, end - at), partial(self._fill, at=at, hashing=hashing))

    def _fill(
        self, content: memoryview, at: int, hashing: HashBeside | None
    ) -> Future[None] | None:
        """Fill a buffer from an offset of the file; return the future of its last hash update."""
        done, last = 0, None
        while done < len(content):
            with _disk_errors(self._path):
                count = os.preadv(self._descriptor, [content[done : done + CHUNK]], at + done)
            if count == 0:
                raise CheckpointError(f"`{self._path}` became shorter while it was read.")
            if hashing is not None:
                last = hashing.update(content[done : done + count])
            done += count
        return last

    def _compare(self, found: str) -> None:
        if found != self.content_hash:
            raise CheckpointError(
                f"`{self._path}` is damaged: its content has the SHA-256 {found[:12]}…, and it "
                f"states {str(self.content_hash)[:12]}…; nothing of it was used; take another copy."
            )


@contextmanager
def open_file(path: Path) -> Iterator[SafetensorsFile]:
    """Open a file; everything is read from this descriptor, whatever happens to the name.

    Raises:
        CheckpointError: It is missing, not a regular file, or not a checkpoint.
    """
    with opened(path) as descriptor:
        yield SafetensorsFile(path, descriptor)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Yield the descriptor of a regular file; its folder may be a link, the file may not.

    Raises:
        CheckpointError: It is missing, not a regular file, or unreadable.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(open_folder(path.parent))
            descriptor = stack.enter_context(open_regular(path.name, folder))
        except FileNotFoundError:
            raise CheckpointError(
                f"`{path}` does not exist; a checkpoint is a .safetensors file."
            ) from None
        except (OSError, ValueError) as error:  # a name with a NUL raises ValueError
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
