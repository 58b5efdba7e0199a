"""The contract of checkpointers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kokoro_core.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class TensorInfo:
    """What a checkpoint states about a tensor before it is read.

    Attributes:
        dtype: torch's name of the type, such as ``float32``.
        shape: The shape.
    """

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


class OpenCheckpoint(ABC):
    """An open checkpoint: its metadata and layout are read, its tensors are read on demand.

    Attributes:
        metadata: What was saved with the tensors.
        layout: Type and shape of each tensor, by name.
        content_hash: The hash that the checkpoint states; None: its format is too old to have one.
    """

    metadata: dict[str, Any]
    layout: Mapping[str, TensorInfo]
    content_hash: str | None

    @abstractmethod
    def read(
        self, device: str = "cpu", *, names: Collection[str] | None = None, verify: bool = True
    ) -> dict[str, Tensor]:
        """Return the tensors, each in its own memory.

        Args:
            device: Their device; at most one tensor at a time exists twice.
            names: The tensors to read; None: all.
            verify: Compare the content with the hash, if the checkpoint states one; False: read
                only the tensors asked for.

        Raises:
            CheckpointError: The content is not what was saved.
        """

    @contextmanager
    def reading(self, device: str = "cpu", *, verify: bool = True) -> Iterator[dict[str, Tensor]]:
        """Yield what `read` returns to a ``with`` block at whose end the content is verified.

        A checkpoint may compute the hash while the block runs, so nothing derived from the
        tensors may be handed on before the block ends. Here all is verified before it begins.

        Raises:
            CheckpointError: The content is not what was saved.
        """
        yield self.read(device, verify=verify)

    @abstractmethod
    def verify(self) -> None:
        """Read and verify everything, keeping nothing.

        Raises:
            CheckpointError: The content is not what was saved, or the checkpoint states no hash.
        """


class Checkpointer(ABC):
    """Writes tensors and metadata to one or several files, and reads them back exactly."""

    @abstractmethod
    def save(
        self,
        path: Path,
        tensors: Mapping[str, Tensor],
        metadata: Mapping[str, Any],
        *,
        max_shard_bytes: int | None = None,
    ) -> None:
        """Write a checkpoint atomically.

        Args:
            path: Must end in one of the checkpointer's suffixes.
            tensors: Dense tensors that share no memory.
            metadata: JSON values.
            max_shard_bytes: If the tensors have more bytes, they are split over several files
                next to the path; None: one file, however large.

        Raises:
            CheckpointError: Something cannot be stored exactly, or writing fails.
        """

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Reject tensors that `save` would reject, without writing and without reading values.

        Called before a training begins, so that nothing is trained that cannot be saved. A
        format that cannot store every tensor overrides it.

        Raises:
            CheckpointError: Something cannot be stored exactly.
        """
        for name, tensor in tensors.items():
            if tensor.is_meta:
                raise CheckpointError(
                    f"`{name}` is on the meta device and has no data to save; give it weights "
                    f"first."
                )

    @abstractmethod
    def open(self, path: Path) -> AbstractContextManager[OpenCheckpoint]:
        """Open a checkpoint and check its metadata and layout; no tensor is read.

        Raises:
            CheckpointError: The file is missing or is not a checkpoint.
        """

    def open_published(self, path: Path) -> AbstractContextManager[OpenCheckpoint]:
        """Open a file of the format, or an index of several, that another program wrote.

        It has no content hash, and its metadata is whatever that program wrote.

        Raises:
            CheckpointError: The file is missing or damaged, or no other program writes the format.
        """
        raise CheckpointError(
            f"`{path}` is of a format in which `{type(self).__name__}` reads only its own files."
        )

    def read_metadata(self, path: Path) -> dict[str, Any]:
        """Return the metadata without reading a tensor.

        Raises:
            CheckpointError: The file is missing or is not a checkpoint.
        """
        with self.open(path) as found:
            return found.metadata

    def load(self, path: Path, device: str = "cpu") -> dict[str, Tensor]:
        """Return the tensors, verified.

        Raises:
            CheckpointError: The file is missing, is not a checkpoint, or is damaged.
        """
        with self.open(path) as found:
            return found.read(device)
