"""Write tensors to a safetensors file with its content hash, in one pass over the bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.dtypes import NAMES
from kokoro_plugins.safetensors.envelope import DIGITS, METADATA_KEY, wrap
from kokoro_plugins.safetensors.header import (
    LENGTH,
    MAX_HEADER_BYTES,
    METADATA,
    HeaderFault,
    parse_header,
)
from kokoro_plugins.safetensors.memory import bytes_of, info_of
from kokoro_plugins.safetensors.storable import contiguous_on_cpu

if TYPE_CHECKING:
    from hashlib import _Hash

CHUNK = 2**20
"""Bytes per write; each chunk is hashed right after it is written."""


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    """Write a new file and return its content hash.

    Equal content gives equal bytes: wider types come first, so that every tensor is aligned
    to its element size, and equal types are ordered by name.

    Args:
        path: Must not exist yet.
        tensors: Accepted by `check_storable`; copied one at a time if necessary.
        metadata: JSON values.

    Raises:
        CheckpointError: Names, number or metadata exceed a reader's limits.
        OSError: The file system reports an error.
    """
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    start = header_of({name: tensors[name] for name in order}, metadata)
    digest = sha256()
    with open(path, "xb", buffering=0) as file:
        _write_hashed(file, memoryview(start), digest)
        for name in order:
            _write_hashed(file, bytes_of(contiguous_on_cpu(tensors[name])), digest)
        os.pwrite(file.fileno(), digest.hexdigest().encode(), DIGITS.start)
    return digest.hexdigest()


def header_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """Return the start of a file up to its body, with zeros for the content hash.

    Raises:
        CheckpointError: A reader would reject it.
    """
    values: dict[str, Any] = {METADATA: {METADATA_KEY: wrap(metadata)}}
    end = 0
    for name, tensor in tensors.items():
        info, begin = info_of(tensor), end
        code, size = NAMES[info.dtype]
        end += tensor.numel() * size
        values[name] = {"dtype": code, "shape": list(info.shape), "data_offsets": [begin, end]}
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    content = text.encode("utf-8", "surrogatepass")
    content += b" " * (-len(content) % LENGTH.size)
    if len(content) > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"`metadata` and the names of {len(tensors)} tensors make a header of {len(content)} "
            f"bytes, more than the {MAX_HEADER_BYTES} that are read; save what is long as tensors."
        )
    try:
        parse_header(content, end)
    except HeaderFault as fault:
        raise CheckpointError(f"`tensors` cannot be stored as they are: {fault}.") from None
    return LENGTH.pack(len(content)) + content


def _write_hashed(file: RawIOBase, content: memoryview, digest: _Hash) -> None:
    """Write bytes and hash them while they are in the core's cache."""
    while content:
        written = file.write(content[:CHUNK]) or 0
        digest.update(content[:written])
        content = content[written:]
