"""`ExampleCheckpointer`."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from kokoro_core.contracts import Checkpointer, OpenCheckpoint, TensorInfo
from kokoro_core.durable import atomic_file, canonical_json
from kokoro_core.errors import CheckpointError

HEADER = "header.json"

KINDS = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)
DTYPES = {str(each).removeprefix("torch."): each for each in KINDS}
"""The types that can be stored, by torch's name."""


@final
class ExampleCheckpointer(Checkpointer):
    """Writes one archive; equal content gives equal bytes."""

    def save(
        self,
        path: Path,
        tensors: Mapping[str, Tensor],
        metadata: Mapping[str, Any],
        *,
        max_shard_bytes: int | None = None,
    ) -> None:
        """Write a checkpoint atomically.

        Raises:
            CheckpointError: Something cannot be stored, or writing fails.
        """
        if max_shard_bytes is not None:
            raise CheckpointError("`max_shard_bytes` must be None: the format is one file.")
        self.check(tensors)
        content = {name: bytes_of(each) for name, each in sorted(tensors.items())}
        layout = {name: [dtype_of(tensors[name]), [*tensors[name].shape]] for name in content}
        header = {"metadata": dict(metadata), "layout": layout, "hash": hash_of(content)}
        text = canonical_json(header, "metadata")
        try:
            with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
                archive.writestr(zipfile.ZipInfo(HEADER), text)
                for index, data in enumerate(content.values()):
                    archive.writestr(zipfile.ZipInfo(str(index)), data)
        except OSError as error:
            raise CheckpointError(f"`{path}` could not be written: {error}.") from error

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Reject tensors that `save` would reject.

        Raises:
            CheckpointError: One has no data, or a type that the format does not have.
        """
        super().check(tensors)
        for name, tensor in tensors.items():
            if dtype_of(tensor) not in DTYPES:
                raise CheckpointError(
                    f"`{name}` must have one of the types {', '.join(DTYPES)}, not "
                    f"{dtype_of(tensor)}."
                )

    @contextmanager
    def open(self, path: Path) -> Iterator[ExampleOpenCheckpoint]:
        """Open a checkpoint and read what describes it.

        Raises:
            CheckpointError: The file is missing or is not a checkpoint.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                header = json.loads(archive.read(HEADER))
            found = ExampleOpenCheckpoint(path=path, header=header)
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"`{path}` is not a checkpoint: {error!r}.") from error
        yield found


@final
class ExampleOpenCheckpoint(OpenCheckpoint):
    """A checkpoint whose tensors are read on demand.

    Args:
        path: The archive.
        header: What describes it.
    """

    def __init__(self, *, path: Path, header: Mapping[str, Any]) -> None:
        self._path = path
        self.metadata = header["metadata"]
        self.layout = {
            name: TensorInfo(dtype, tuple(shape))
            for name, (dtype, shape) in header["layout"].items()
        }
        self.content_hash = header["hash"]

    def read(
        self, device: str = "cpu", *, names: Collection[str] | None = None, verify: bool = True
    ) -> dict[str, Tensor]:
        """Return the tensors, or those of some names.

        Raises:
            CheckpointError: The content is not what was saved.
        """
        wanted = self.layout.keys() if names is None else set(names)
        content = self._content(self.layout if verify else wanted)
        if verify and hash_of(content) != self.content_hash:
            raise CheckpointError(f"`{self._path}` is damaged: it has another hash than it says.")
        return {name: self._tensor(name, content[name]).to(device) for name in wanted}

    def verify(self) -> None:
        """Read and verify everything, keeping nothing.

        Raises:
            CheckpointError: The content is not what was saved.
        """
        self.read(names=())

    def _content(self, wanted: Collection[str]) -> dict[str, bytes]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                places = {name: str(index) for index, name in enumerate(self.layout)}
                return {name: archive.read(places[name]) for name in places if name in wanted}
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"`{self._path}` is damaged: {error}.") from error

    def _tensor(self, name: str, data: bytes) -> Tensor:
        info = self.layout[name]
        if not data:
            return torch.empty(info.shape, dtype=DTYPES[info.dtype])
        return torch.frombuffer(bytearray(data), dtype=DTYPES[info.dtype]).reshape(info.shape)


def dtype_of(tensor: Tensor) -> str:
    """Return torch's name of a tensor's type."""
    return str(tensor.dtype).removeprefix("torch.")


def bytes_of(tensor: Tensor) -> bytes:
    """Return the values of a tensor as they lie in memory."""
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().tobytes()


def hash_of(content: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of all values, in the order of the names."""
    digest = hashlib.sha256()
    for name, data in content.items():
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()
