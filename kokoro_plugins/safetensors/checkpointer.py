"""The checkpointer: tensors and metadata in one safetensors file, or in several with an index."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from kokoro_core.contracts import Checkpointer, OpenCheckpoint
from kokoro_core.durable import atomic_file
from kokoro_core.errors import CheckpointError
from kokoro_plugins.safetensors.index import INDEX_SUFFIX
from kokoro_plugins.safetensors.published import open_published
from kokoro_plugins.safetensors.reading import open_file
from kokoro_plugins.safetensors.sharded import index_path, open_sharded, save_sharded, split

if TYPE_CHECKING:
    from torch import Tensor


@final
class SafetensorsCheckpointer(Checkpointer):
    """Writes safetensors files atomically; equal content gives equal bytes.

    Reading metadata and layout imports no torch.
    """

    def save(
        self,
        path: Path,
        tensors: Mapping[str, Tensor],
        metadata: Mapping[str, Any],
        *,
        max_shard_bytes: int | None = None,
    ) -> None:
        """Write a checkpoint; an existing one is replaced at the very end.

        Raises:
            CheckpointError: A tensor or the metadata cannot be stored exactly, or the files cannot
                be written; the path then holds the complete old or new checkpoint.
        """
        from kokoro_plugins.safetensors.writing import write

        path = Path(path)
        self.check(tensors)
        shards = _shards(tensors, max_shard_bytes)
        _check_form(path, len(shards))
        try:
            if len(shards) > 1:
                save_sharded(path, tensors, metadata, shards)
                return
            with atomic_file(path) as temporary:
                write(temporary, tensors, metadata)
        except OSError as error:
            raise CheckpointError(
                f"`{path}` could not be written: {error}; "
                "the old file or the new one is there, whole."
            ) from error

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Reject tensors that would change when read back.

        Raises:
            CheckpointError: One cannot be stored, or shares memory with another.
        """
        from kokoro_plugins.safetensors.storable import check_storable

        super().check(tensors)
        check_storable(tensors)

    def open_published(self, path: Path) -> AbstractContextManager[OpenCheckpoint]:
        """Open a file or an index that another program wrote; see `Checkpointer.open_published`.

        Raises:
            CheckpointError: It is missing or damaged.
        """
        return open_published(Path(path))

    @contextmanager
    def open(self, path: Path) -> Iterator[OpenCheckpoint]:
        """Open a file or an index; see `Checkpointer.open`.

        Raises:
            CheckpointError: It is missing or is not a checkpoint.
        """
        path = Path(path)
        index = index_path(path)
        if not path.name.endswith(INDEX_SUFFIX) and os.path.isfile(index):
            if os.path.lexists(path):
                raise CheckpointError(
                    f"`{path}` and `{index.name}` are both there, and each may be the newer "
                    f"checkpoint; give the path of the index, or remove one of them."
                )
            path = index
        opener = open_sharded if path.name.endswith(INDEX_SUFFIX) else open_file
        with opener(path) as found:
            yield found


def _shards(tensors: Mapping[str, Tensor], max_shard_bytes: int | None) -> list[list[str]]:
    """Return the names of the tensors, by file."""
    if max_shard_bytes is None:
        return [list(tensors)]
    if max_shard_bytes < 1:
        raise CheckpointError(f"`max_shard_bytes` must be at least 1, not {max_shard_bytes}.")
    sizes = {name: each.numel() * each.element_size() for name, each in tensors.items()}
    return split(sizes, max_shard_bytes)


def _check_form(path: Path, shards: int) -> None:
    """Reject writing a second checkpoint of the same name, since the newer could not be identified.

    Raises:
        CheckpointError: One exists in the other form.
    """
    single, index = path.with_name(path.name.removesuffix(".index.json")), index_path(path)
    other = single if shards > 1 else index
    if os.path.lexists(other):
        forms = ("several files", "one file") if shards > 1 else ("one file", "several files")
        raise CheckpointError(
            f"`{path}` would be written as {forms[0]}, and `{other.name}` is a checkpoint of that "
            f"name in {forms[1]}; remove that, choose another name, or another `max_shard_bytes`."
        )
    if shards == 1 and path.name.endswith(INDEX_SUFFIX):
        raise CheckpointError(
            f"`{path}` is the name of an index, and the tensors fit into one file; "
            f"save to `{single.name}`, or give a lower `max_shard_bytes`."
        )
