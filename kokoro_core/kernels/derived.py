"""`DerivedCache`: what is made of a module's weights and lasts as long as they do."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain
from typing import Any, Generic, TypeVar, final

import torch
from torch import Tensor, nn

from kokoro_core.kernels.introspection import is_watched

Made = TypeVar("Made")

PIECE = 32
"""Words of eight bytes whose order is not looked at: those of a head 64 wide in float32."""


@final
class DerivedCache(Generic[Made]):
    """Keeps what was made of a module until the module is another one, and is no part of it.

    A copy of the module begins with nothing kept.
    """

    def __init__(self) -> None:
        self._made: Made | None = None
        self._of: tuple[Any, ...] = ()

    def get(self, module: nn.Module, make: Callable[[], Made]) -> Made:
        """Return what was made before if the module is still the same, else make it now."""
        now = fingerprint(module)
        if self._made is None or self._of != now:
            self._made, self._of = make(), now
        return self._made

    def clear(self) -> None:
        """Forget what was kept, and free its memory."""
        self._made, self._of = None, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> DerivedCache[Made]:
        return DerivedCache()

    def __reduce__(self) -> tuple[type[DerivedCache[Made]], tuple[()]]:
        return DerivedCache, ()


@torch.no_grad()
def fingerprint(module: nn.Module) -> tuple[Any, ...]:
    """Return what differs as soon as a module or one of its tensors is changed or replaced.

    Versions tell of changes in place, and the sums of those that go past torch's counter (through
    ``.data``); they take as long as reading the weights once. A linear layer that somebody begins
    to watch is another one too.
    """
    tensors = list(chain(module.parameters(), module.buffers()))
    return (
        tuple(
            (id(each), each.training, isinstance(each, nn.Linear) and is_watched(each))
            for each in module.modules()
        ),
        tuple((id(each), each.data_ptr(), _version(each), each.dtype) for each in tensors),
        _sums(tensors),
    )


def _sums(tensors: list[Tensor]) -> tuple[float, ...]:
    """Return a sum for each tensor, those of one kind fetched from the device at once.

    Bits are summed as integers where they can be: without rounding, so that no change is lost, and
    in bfloat16 six times as fast as its numbers.
    """
    found: dict[torch.dtype, list[Tensor]] = {}
    for each in tensors:
        total = _sum_of_words(each) if _is_of_words(each) else each.sum(dtype=torch.float64)
        found.setdefault(total.dtype, []).append(total)
    return tuple(chain.from_iterable(torch.stack(sums).tolist() for sums in found.values()))


def _sum_of_words(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor's words, each piece of them times an odd number of its own.

    So rows or heads that have changed places are seen; within a piece they are not.
    """
    words = tensor.view(torch.int64).flatten()
    pieces = words.view(-1, math.gcd(len(words), PIECE)).sum(1)
    return (pieces * torch.arange(1, 2 * len(pieces), 2, device=pieces.device)).sum()


def _is_of_words(tensor: Tensor) -> bool:
    """Return whether a tensor's memory is whole words of eight bytes, and it an ordinary one."""
    size = tensor.element_size()
    return (
        type(tensor) in (Tensor, nn.Parameter, nn.Buffer)
        and tensor.dim() > 0
        and tensor.is_contiguous()
        and tensor.shape[-1] * size % 8 == 0
        and tensor.storage_offset() * size % 8 == 0
    )


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version
