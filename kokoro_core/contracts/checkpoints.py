"""What reads and writes checkpoints."""

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
    """What a checkpoint says of a tensor before it is read.

    Attributes:
        dtype: torch's name of the type: ``float32``.
        shape: The sizes.
    """

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


class OpenCheckpoint(ABC):
    """A checkpoint that is open: what it says of itself at once, its tensors when asked.

    Attributes:
        metadata: What was saved beside the tensors.
        layout: Type and shape of each tensor, by name.
        content_hash: What the checkpoint states of its content; None: it is too old to state any.
    """

    metadata: dict[str, Any]
    layout: Mapping[str, TensorInfo]
    content_hash: str | None

    @abstractmethod
    def read(
        self, device: str = "cpu", *, names: Collection[str] | None = None, verify: bool = True
    ) -> dict[str, Tensor]:
        """Return the tensors, each in memory of its own.

        Args:
            device: Where they go; no more than one at a time exists twice.
            names: Those that are wanted; None: all.
            verify: Compare the content with the hash, if the checkpoint states one; False: nothing
                but what is wanted is read.

        Raises:
            CheckpointError: The content is not what was saved.
        """

    @contextmanager
    def reading(self, device: str = "cpu", *, verify: bool = True) -> Iterator[dict[str, Tensor]]:
        """Give what `read` returns for a ``with`` block at whose end the content is verified.

        A checkpoint may compute the hash while the block runs, so nothing that was made of the
        tensors may be handed on before its end. Here all is verified before the block begins.

        Raises:
            CheckpointError: The content is not what was saved.
        """
        yield self.read(device, verify=verify)

    @abstractmethod
    def verify(self) -> None:
        """Read everything and keep nothing.

        Raises:
            CheckpointError: The content is not what was saved, or the checkpoint states no hash.
        """


class Checkpointer(ABC):
    """Writes tensors and their metadata to a file, or several, and reads them back, exactly."""

    @abstractmethod
    def save(
        self,
        path: Path,
        tensors: Mapping[str, Tensor],
        metadata: Mapping[str, Any],
        *,
        max_shard_bytes: int | None = None,
    ) -> None:
        """Write a checkpoint whole or not at all.

        Args:
            path: One of the checkpointer's suffixes ends it.
            tensors: Dense, none in the memory of another.
            metadata: Values that JSON has.
            max_shard_bytes: Tensors of more bytes than this are split over several files beside
                the path; None: one file, however large.

        Raises:
            CheckpointError: Something cannot be stored exactly, or the disk refuses.
        """

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Refuse tensors that `save` would refuse, without writing; no value is looked at.

        It is asked before a training begins, so that nothing is trained that cannot be saved. A
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
        """Open a checkpoint and check what it says of itself; no tensor is read.

        Raises:
            CheckpointError: The file is missing or is not a checkpoint.
        """

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
