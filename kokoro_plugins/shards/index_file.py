"""The columns of an index: a number an utterance in each, mapped and not read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from kokoro_core.durable import atomic_file
from kokoro_core.errors import CorpusError
from kokoro_plugins.shards.header import Header, metadata_of, read_header

COLUMNS = {
    "shard": np.int32,  # the number of the file
    "offset": np.int64,  # of the record in it
    "size": np.int32,  # of the record in bytes
    "crc": np.int64,  # CRC-32 of the record
    "frames": np.int32,
    "phonemes": np.int32,
    "name_end": np.int64,  # of the name in `names`, which begins where the one before ends
}
"""Columns with a number an utterance; beside them `names`, the bytes of all names."""


@dataclass(frozen=True)
class Index:
    """What an index file holds.

    Attributes:
        header: Of all utterances.
        columns: By name.
    """

    header: Header
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["frames"])

    def name(self, row: int) -> str:
        """Return the name of an utterance."""
        ends = self.columns["name_end"]
        first = int(ends[row - 1]) if row else 0
        return bytes(self.columns["names"][first : int(ends[row])]).decode()


def write_index(path: Path, header: Header, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write an index that is whole or not there; the header's hash is filled in here."""
    plain = {name: np.ascontiguousarray(each) for name, each in columns.items()}
    content = save(plain)
    start = 8 + int.from_bytes(content[:8], "little")
    sealed = header.model_copy(update={"data_sha256": hashlib.sha256(content[start:]).hexdigest()})
    with atomic_file(path) as new:
        new.write_bytes(save(plain, metadata_of(sealed)))


def open_index(path: Path) -> Index:
    """Return an index whose columns are mapped, so that processes share what they look at.

    Raises:
        CorpusError: It is missing, damaged or of another version.
    """
    header, start = read_header(path)
    try:
        with path.open("rb") as file:
            file.seek(start)
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != header.data_sha256:
            raise ValueError("its columns are not those that were written")
        with safe_open(path, framework="pt") as opened:
            columns = {name: opened.get_tensor(name).numpy() for name in (*COLUMNS, "names")}
        _check(header, columns)
    except (OSError, ValueError, SafetensorError) as error:
        raise CorpusError(f"`{path}` is damaged ({error}); write the shards again.") from error
    return Index(header, columns)


def _check(header: Header, columns: Mapping[str, NDArray[Any]]) -> None:
    """Refuse columns that are not what they are called.

    Raises:
        ValueError: One has another length or type.
    """
    for name, dtype in COLUMNS.items():
        if columns[name].shape != (header.utterances,) or columns[name].dtype != dtype:
            raise ValueError(f"its column `{name}` has another form")
