"""What autograd saves for the backward pass, counted by storage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar, final
from weakref import WeakValueDictionary

from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

Owner = TypeVar("Owner")


@dataclass(eq=False)
class SavedStorage(Generic[Owner]):
    """A storage that autograd holds.

    Attributes:
        owner: What `on_saved` returned when it was saved.
        nbytes: Its size.
    """

    owner: Owner
    nbytes: int


@dataclass(eq=False)
class _Packed(Generic[Owner]):
    """A tensor as held by the graph; it keeps the record of its storage alive."""

    tensor: Tensor
    storage: SavedStorage[Owner] | None


@final
class SavedTensors(Generic[Owner]):
    """Counts every storage that autograd saves, once, while it is held.

    Only the innermost hooks of a program see what is saved: within others, such as
    `torch.autograd.graph.save_on_cpu`, nothing is counted. Tensors that gradient checkpointing
    drops and recomputes are not counted either.

    Args:
        ignored: Tensors that exist anyway, such as parameters.
        on_saved: Called with the bytes of a storage when it is first saved; returns its owner.
    """

    def __init__(self, ignored: Iterable[Tensor], on_saved: Callable[[int], Owner]) -> None:
        self._ignored = {_key(each) for each in ignored}
        self._on_saved = on_saved
        self._held: WeakValueDictionary[int, SavedStorage[Owner]] = WeakValueDictionary()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what is saved within the block."""
        with saved_tensors_hooks(self._pack, lambda packed: packed.tensor):
            yield

    def held(self) -> list[SavedStorage[Owner]]:
        """Return the storages that a graph still holds."""
        return list(self._held.values())

    def _pack(self, tensor: Tensor) -> _Packed[Owner]:
        return _Packed(tensor, self._storage_of(tensor))

    def _storage_of(self, tensor: Tensor) -> SavedStorage[Owner] | None:
        key = _key(tensor)
        if key in self._ignored:
            return None
        found = self._held.get(key)
        if found is None:
            nbytes = tensor.untyped_storage().nbytes()
            self._held[key] = found = SavedStorage(self._on_saved(nbytes), nbytes)
        return found


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
