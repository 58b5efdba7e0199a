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
class EncoderOutput:
    """What an encoder returns that gives more than hidden vectors.

    Attributes:
        hidden: (B, N, H).
        parts: Further tensors (B, N, C) by the names that its params declare, 0 at padding.
        losses: The encoder's own losses by name.
    """

    hidden: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)
    losses: dict[str, Tensor] = field(default_factory=dict)


@register_pytree
@dataclass(frozen=True)
class AlignerOutput:
    """Which frames belong to which phoneme, as an aligner finds it in training.

    Attributes:
        durations: (B, N) int64, 0 at padding; their sums are the lengths of the mels.
        losses: The aligner's own losses by name.
        soft: (B, T, N) probabilities of the phonemes of each frame, or None.
    """

    durations: Tensor
    losses: dict[str, Tensor] = field(default_factory=dict)
    soft: Tensor | None = None


@register_pytree
@dataclass(frozen=True)
class Latents:
    """What a decoder maps the true mel to in training.

    Attributes:
        z: (B, T, C), 0 at padding.
        log_determinant: (B,) log-determinant of the map, summed over a row's frames; 0 where it
            keeps volumes.
    """

    z: Tensor
    log_determinant: Tensor


@register_pytree
@dataclass(frozen=True)
class AdaptorOutput:
    """What an adaptor returns.

    Attributes:
        x: (B, L, H), 0 at padding.
        prediction: (B, L) or (B, L, C), what it predicted of its target, or None.
        losses: The adaptor's own losses by name.
    """

    x: Tensor
    prediction: Tensor | None = None
    losses: dict[str, Tensor] = field(default_factory=dict)


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
        mel: (B, T, M); if the params give ``wave``, (B, T, hop_length) samples.
        stop_logits: (B, T), or None for a decoder without a stop head.
        losses: The decoder's own losses by name; if any, they replace the mel loss unless its
            params say what they replace.
        lengths: (B,) int64, the frames of each row where the decoder decides them itself.
        durations: (B, N) int64, the frames of each phoneme where the decoder decides them itself.
    """

    mel: Tensor
    stop_logits: Tensor | None = None
    losses: dict[str, Tensor] = field(default_factory=dict)
    lengths: Tensor | None = None
    durations: Tensor | None = None


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
