"""The tar files: written whole or not at all, read anywhere."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, final

from kokoro_core.errors import CorpusError
from kokoro_plugins.shards.header import ShardFile

END = bytes(1024)
"""Two blocks of zeros end a tar file."""

MOST_OPEN = 128
"""More files are not kept open."""


@final
class TarWriter:
    """Appends records to a tar file.

    Args:
        file: Open for writing, empty.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._size = 0

    def add(self, content: bytes) -> tuple[int, int]:
        """Write a record, and return where it begins and its CRC-32."""
        offset = self._size
        self._file.write(content)
        self._hash.update(content)
        self._size += len(content)
        return offset, zlib.crc32(content)

    def end(self, name: str, utterances: int) -> ShardFile:
        """Write the end, and return what the index says of the file."""
        self.add(END)
        return ShardFile(
            name=name, size=self._size, sha256=self._hash.hexdigest(), utterances=utterances
        )


def file_problems(folder: Path, shards: Sequence[ShardFile]) -> list[str]:
    """Return which files are not there, or have another size, in sentences."""
    problems = []
    for shard in shards:
        try:
            found = (folder / shard.name).stat().st_size
        except OSError as error:
            problems.append(f"`{shard.name}` cannot be read: {error.strerror or error}.")
            continue
        if found != shard.size:
            what = "is cut off" if found < shard.size else "was changed"
            problems.append(f"`{shard.name}` {what}: it has {found:,} bytes, not {shard.size:,}.")
    return problems


@final
class TarReader:
    """Reads records by their offsets.

    Reading at an offset moves no position that processes could share, so a fork may go on with the
    files of its parent; a process that is sent a reader opens its own.

    Args:
        folder: With the files.
        shards: The files.
    """

    def __init__(self, folder: Path, shards: Sequence[ShardFile]) -> None:
        self._folder = folder
        self._names = [each.name for each in shards]
        self._open: dict[int, int] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return _unopened, (self._folder, self._names)

    def read(self, shard: int, offset: int, size: int, crc: int, name: str) -> bytes:
        """Return a record.

        Args:
            shard: The number of the file.
            offset: Where the record begins.
            size: Its bytes.
            crc: Their CRC-32.
            name: Of the utterance, for errors.

        Raises:
            CorpusError: It cannot be read, or is not what was written.
        """
        file = self._names[shard]
        try:
            content = self._bytes(shard, offset, size)
        except OSError as error:
            raise CorpusError(
                f"`{self._folder / file}` cannot be read at `{name}`: {error.strerror or error}."
            ) from error
        if len(content) != size or zlib.crc32(content) != crc:
            raise CorpusError(
                f"`{self._folder / file}` is not what was written at `{name}`: it was changed, cut "
                f"off or damaged. `kokoro-core check-shards {self._folder}` finds all such places; "
                f"delete the file and write the shards again, which makes this one alone."
            )
        return content

    def _bytes(self, shard: int, offset: int, size: int) -> bytes:
        if shard in self._open:
            return _read(self._open[shard], offset, size)
        descriptor = os.open(self._folder / self._names[shard], os.O_RDONLY | os.O_CLOEXEC)
        if len(self._open) < MOST_OPEN:
            self._open[shard] = descriptor
            return _read(descriptor, offset, size)
        try:
            return _read(descriptor, offset, size)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Close all files; they are opened again if something is read."""
        while self._open:
            os.close(self._open.popitem()[1])

    def __del__(self) -> None:
        self.close()


def _unopened(folder: Path, names: list[str]) -> TarReader:
    reader = TarReader(folder, ())
    reader._names = names
    return reader


def _read(descriptor: int, offset: int, size: int) -> bytes:
    """Return bytes of a file, fewer only where it ends."""
    parts = []
    while size and (part := os.pread(descriptor, size, offset)):
        parts.append(part)
        offset, size = offset + len(part), size - len(part)
    return b"".join(parts)
