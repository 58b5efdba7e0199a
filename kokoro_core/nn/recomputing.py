"""`Replay`: computing layers once more as they were computed first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, final

from torch import Tensor, nn

from kokoro_core.tensors.noise import RowNoise, noting_draws, replaying

_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_PLAIN = (int, float, complex, str, tuple, Tensor, type(None))

_ABSENT = object()

Places = list[tuple[dict[str, Any], str, Any]]
"""Where values stand and what they are: the dictionary, the key and the value or `_ABSENT`."""


@final
class Replay:
    """Lets layers be computed again without a trace, on what they knew the first time.

    What a layer writes while it runs is then written once a step, and its result is the same: its
    buffers (running statistics, the vectors of a power iteration), the numbers and tensors that it
    keeps as attributes, and the draws from `RowNoise`. What it keeps otherwise, in a list or in a
    tensor of somebody else, is written again.

    Args:
        layers: Those that are computed twice.
    """

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        self._modules = {id(each): each for layer in layers for each in layer.modules()}
        self._before: Places | None = None
        self._drawn: dict[RowNoise, int] = {}

    def turn(self) -> AbstractContextManager[None]:
        """Return the block to compute in: the first one, and any after it."""
        return self._first() if self._before is None else self._again(self._before)

    @contextmanager
    def _first(self) -> Iterator[None]:
        """Remember what the layers know as the block begins, of what the block changes."""
        known = [each for module in self._modules.values() for each in _known(module)]
        with noting_draws() as self._drawn:
            yield
        self._before = [
            (where, name, was.get(name, _ABSENT))
            for where, was in known
            for name in (was.keys() | where.keys()) - _OF_EVERY_MODULE
            if _is_changed(was.get(name, _ABSENT), where.get(name, _ABSENT))
        ]

    @contextmanager
    def _again(self, before: Places) -> Iterator[None]:
        """Know the same again, and afterwards what was known in between."""
        now = [(where, name, where.get(name, _ABSENT)) for where, name, _ in before]
        # Other tensors, so that those which a graph has kept are not written to.
        _put((where, name, _copy(each)) for where, name, each in before)
        try:
            with replaying(self._drawn):
                yield
        finally:
            _put(now)


def _known(module: nn.Module) -> tuple[tuple[dict[str, Any], dict[str, Any]], ...]:
    """Return where a module keeps buffers and attributes, each with what it keeps there now."""
    # Buffers are copied whether they are written or not: batch_norm writes without a new version.
    buffers = {name: _copy(buffer) for name, buffer in module._buffers.items()}
    return (module._buffers, buffers), (vars(module), dict(vars(module)))


def _is_changed(before: Any, after: Any) -> bool:
    # A class may give the first value, or nobody before a layer runs.
    known = after if before is _ABSENT else before
    return before is not after and isinstance(known, _PLAIN)


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _put(places: Iterable[tuple[dict[str, Any], str, Any]]) -> None:
    for where, name, value in places:
        if value is _ABSENT:
            where.pop(name, None)
        else:
            where[name] = value
