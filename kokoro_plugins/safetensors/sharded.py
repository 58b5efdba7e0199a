"""A checkpoint in several files: switched over at once by its index, and read file by file.

Shards carry their content hash in their names, so those of the next checkpoint never overwrite
those of the last; the index is replaced once all of them are on disk, and files that no index
lists any more are removed after that.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from kokoro_core.contracts import OpenCheckpoint, TensorInfo
from kokoro_core.durable import atomic_file
from kokoro_core.durable.disk import open_folder, open_regular, sync, umask_mode
from kokoro_core.durable.temporary import sweep, temporary_folder
from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.index import INDEX_SUFFIX, MAX_INDEX_BYTES, SHARD, Index
from kokoro_plugins.safetensors.reading import SafetensorsFile, opened

if TYPE_CHECKING:
    from torch import Tensor


def index_path(path: Path) -> Path:
    """Return the path of the index that represents a path if the tensors are in several files."""
    return path.with_name(stem_of(path) + INDEX_SUFFIX)


def stem_of(path: Path) -> str:
    """Return the name without its suffix: ``model`` of ``model.safetensors`` and of its index."""
    return path.name.removesuffix(INDEX_SUFFIX).removesuffix(".safetensors")


def split(sizes: Mapping[str, int], max_shard_bytes: int) -> list[list[str]]:
    """Return the names of the tensors, by shard, filled in the order of the names.

    A tensor larger than the limit gets a shard of its own.
    """
    shards: list[list[str]] = []
    free = -1
    for name in sorted(sizes):
        if not shards or sizes[name] > free:
            shards.append([])
            free = max_shard_bytes
        shards[-1].append(name)
        free -= sizes[name]
    return shards


def save_sharded(
    path: Path,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, Any],
    shards: list[list[str]],
) -> None:
    """Write the shards, then the index, then remove the files of the last checkpoint.

    Raises:
        CheckpointError: A reader would reject it.
        OSError: The file system reports an error.
    """
    parent = path.absolute().parent
    hashes: dict[str, str] = {}
    weight_map: dict[str, str] = {}
    with open_folder(parent) as folder:
        sweep(folder)
        with temporary_folder(parent, folder, "shards") as temporary:
            mode = umask_mode(temporary.descriptor)
            for number, names in enumerate(shards, 1):
                place = f"{number:05d}-of-{len(shards):05d}"
                found = _write_shard(
                    temporary.path / "shard",
                    {name: tensors[name] for name in names},
                    {"index": index_path(path).name, "shard": place},
                    mode,
                )
                file = f"{stem_of(path)}-{place}-{found[:12]}.safetensors"
                os.rename(temporary.path / "shard", temporary.path / file)
                hashes[file] = found
                weight_map |= dict.fromkeys(names, file)
            total = sum(each.numel() * each.element_size() for each in tensors.values())
            index = Index(dict(metadata), hashes, weight_map, total).to_bytes()
            for file in hashes:
                os.rename(file, file, src_dir_fd=temporary.descriptor, dst_dir_fd=folder)
            sync(folder)
        with atomic_file(index_path(path)) as target:
            target.write_bytes(index)
        _remove_unlisted(folder, stem_of(path), hashes)


def _write_shard(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], mode: int
) -> str:
    from kokoro_plugins.safetensors.writing import write

    content_hash = write(path, tensors, metadata)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fchmod(descriptor, mode)
        sync(descriptor)
    finally:
        os.close(descriptor)
    return content_hash


def _remove_unlisted(folder: int, stem: str, listed: Collection[str]) -> None:
    """Remove shards of this checkpoint that its index does not list."""
    for name in os.listdir(folder):
        shard = SHARD.fullmatch(name)
        if shard and shard["stem"] == stem and name not in listed:
            os.unlink(name, dir_fd=folder)


@final
class ShardedCheckpoint(OpenCheckpoint):
    """An index whose shards' headers have been read and checked; tensors are read on demand."""

    def __init__(self, path: Path, folder: int, index: Index) -> None:
        self._path = path
        self._folder = folder
        self._index = index
        self.metadata = index.metadata
        self.content_hash = index.content_hash
        self.layout = self._layout()

    def read(
        self, device: str = "cpu", *, names: Collection[str] | None = None, verify: bool = True
    ) -> dict[str, Tensor]:
        """Return the tensors, reading one shard after the other; see `OpenCheckpoint.read`.

        Raises:
            CheckpointError: The content is not what was saved.
        """
        tensors: dict[str, Tensor] = {}
        for file in self._index.shards:
            with self._shard(file) as shard:
                tensors |= shard.read(device, names=names, verify=verify)
        return tensors

    def verify(self) -> None:
        """Read and verify everything, keeping nothing.

        Raises:
            CheckpointError: The content is not what was saved.
        """
        for file in self._index.shards:
            with self._shard(file) as shard:
                shard.verify()

    def _layout(self) -> dict[str, TensorInfo]:
        """Return the layout of all shards, which must match the index."""
        layout: dict[str, TensorInfo] = {}
        for file in self._index.shards:
            with self._shard(file) as shard:
                listed = {name for name, at in self._index.weight_map.items() if at == file}
                if set(shard.layout) != listed:
                    raise CheckpointError(
                        f"`{self._path}` and its shard `{file}` do not list the same tensors; "
                        f"take another copy."
                    )
                layout |= shard.layout
        return layout

    @contextmanager
    def _shard(self, name: str) -> Iterator[SafetensorsFile]:
        """Open a shard in the folder of the index; its hash must be the one in the index."""
        shown = self._path.parent / name
        try:
            with open_regular(name, self._folder) as descriptor:
                shard = SafetensorsFile(shown, descriptor)
                if shard.content_hash != self._index.shards[name]:
                    raise CheckpointError(
                        f"`{shown}` is not the shard that `{self._path.name}` lists, though its "
                        f"name is; take another copy of both."
                    )
                yield shard
        except OSError as error:
            raise CheckpointError(
                f"`{shown}`, a shard of `{self._path.name}`, could not be read: {error}."
            ) from error


@contextmanager
def open_sharded(path: Path) -> Iterator[ShardedCheckpoint]:
    """Open the index of a checkpoint and check every shard's header.

    Raises:
        CheckpointError: Something is missing, damaged, or does not belong together.
    """
    with opened(path) as descriptor, open(descriptor, "rb", closefd=False) as file:
        index = Index.from_bytes(path, file.read(MAX_INDEX_BYTES + 1))
    with open_folder(path.parent) as folder:
        yield ShardedCheckpoint(path, folder, index)
