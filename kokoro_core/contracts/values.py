"""The values that components pass to each other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Self, TypeVar

from torch import Tensor

from kokoro_core.tensors.pytree import register_pytree

Tree = TypeVar("Tree")


@register_pytree
@dataclass(frozen=True)
class DurationOutput:
    """What a duration predictor returns in training.

    Attributes:
        duration_pred: (B, N) natural log of (frames + 1), or None.
        losses: The predictor's own losses by name; if any, they replace the duration loss.
    """

    duration_pred: Tensor | None
    losses: dict[str, Tensor] = field(default_factory=dict)


@register_pytree
@dataclass(frozen=True)
class Plan:
    """Which frames each phoneme covers; a regulator may add fields in a subclass.

    Attributes:
        lengths: (B,) int64, frames of each row.
        padding_mask: (B, T) bool, True = padding.
        durations: (B, N) int64, frames of each phoneme, 0 at padding.
    """

    lengths: Tensor
    padding_mask: Tensor
    durations: Tensor


@register_pytree
@dataclass(frozen=True)
class DecoderOutput:
    """What a decoder returns.

    Attributes:
        mel: (B, T, M).
        stop_logits: (B, T), or None for a decoder without a stop head.
        losses: The decoder's own losses by name; if any, they replace the mel loss.
    """

    mel: Tensor
    stop_logits: Tensor | None = None
    losses: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class State:
    """What an autoregressive decoder keeps between steps.

    Fields are tensors with the batch first, plain ints that all rows share, and dataclasses,
    tuples, lists or mappings of these.
    """

    def select(self, rows: Tensor) -> Self:
        """Return a copy with these rows (int64 indices), to fork, reorder or drop rows."""
        return map_tensors(lambda leaf: leaf.index_select(0, rows), self)


def map_tensors(function: Callable[[Tensor], Tensor], tree: Tree) -> Tree:
    """Apply a function to every tensor in nested dataclasses, tuples, lists and mappings."""
    result: Any = tree
    if isinstance(tree, Tensor):
        result = function(tree)
    elif is_dataclass(tree) and not isinstance(tree, type):
        changed = {
            each.name: map_tensors(function, getattr(tree, each.name)) for each in fields(tree)
        }
        result = replace(tree, **changed)
    elif isinstance(tree, tuple) and hasattr(tree, "_fields"):
        result = type(tree)(*(map_tensors(function, each) for each in tree))
    elif isinstance(tree, (list, tuple)):
        result = type(tree)(map_tensors(function, each) for each in tree)
    elif isinstance(tree, Mapping):
        result = _map_values(function, tree)
    return result  # type: ignore[no-any-return]


def _map_values(function: Callable[[Tensor], Tensor], tree: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return a mapping of the same class, or a dict if that class is read-only."""
    changed = {key: map_tensors(function, each) for key, each in tree.items()}
    if type(tree) is dict or not isinstance(tree, MutableMapping):
        return changed
    result = copy.copy(tree)  # keeps the class and its state, such as a default factory
    result.update(changed)
    return result
