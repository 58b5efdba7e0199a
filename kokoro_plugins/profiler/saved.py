"""Bytes that autograd keeps for the backward pass, credited to what was running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


@dataclass(eq=False)
class _Kept:
    """A tensor as autograd holds it: gone when the graph is."""

    tensor: Tensor


@contextmanager
def counting_saved(model: nn.Module, credit: Callable[[int], None]) -> Iterator[None]:
    """Credit every storage that autograd saves within the block, once while it is held.

    Parameters and buffers are there anyway and are not counted, nor what gradient checkpointing
    drops and makes again. Only the innermost hooks of a program see what is saved: within others,
    such as `torch.autograd.graph.save_on_cpu`, nothing is counted.

    Args:
        model: Whose parameters are not counted.
        credit: Takes the bytes of a storage, at the moment when it is saved.
    """
    there = {_storage(each) for each in (*model.parameters(), *model.buffers())}
    held: WeakValueDictionary[int, _Kept] = WeakValueDictionary()

    def pack(tensor: Tensor) -> _Kept:
        kept, key = _Kept(tensor), _storage(tensor)
        if key not in there and key not in held:
            held[key] = kept
            credit(tensor.untyped_storage().nbytes())
        return kept

    with saved_tensors_hooks(pack, lambda kept: kept.tensor):
        yield


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
