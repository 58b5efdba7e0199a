"""`Kept`: what is made of a module's weights and lasts as long as they do."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any, Generic, TypeVar, final

import torch
from torch import Tensor, nn

Made = TypeVar("Made")


@final
class Kept(Generic[Made]):
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

    def __deepcopy__(self, memo: dict[int, Any]) -> Kept[Made]:
        return Kept()

    def __reduce__(self) -> tuple[type[Kept[Made]], tuple[()]]:
        return Kept, ()


@torch.no_grad()
def fingerprint(module: nn.Module) -> tuple[Any, ...]:
    """Return what differs as soon as a module or one of its tensors is changed or replaced.

    Versions tell of changes in place, and the sums of those that go past torch's counter (through
    ``.data``); they take as long as reading the weights once. A tensor that holds NaN always
    counts as changed.
    """
    tensors = list(chain(module.parameters(), module.buffers()))
    sums = torch.stack([each.sum(dtype=torch.float64) for each in tensors]) if tensors else None
    return (
        tuple((id(each), each.training) for each in module.modules()),
        tuple((id(each), each.data_ptr(), _version(each), each.dtype) for each in tensors),
        () if sums is None else tuple(sums.tolist()),
    )


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version
