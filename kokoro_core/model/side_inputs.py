"""Side inputs that the caller gives: who they are, and whether they fit the batch."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from numbers import Integral, Number, Real
from typing import Any

from torch import Tensor

from kokoro_core.contracts.answers import Callee
from kokoro_core.spec.rules.intake import FROM_THE_MODEL
from kokoro_core.tensors.masks import can_look_inside
from kokoro_core.tensors.pytree import children, named_tensors


def check_extras(
    extras: Mapping[str, Any],
    taken: Collection[str],
    required: Collection[str],
    *padding_masks: Tensor,
) -> None:
    """Refuse side inputs that no part takes, that are missing, or that do not fit the batch.

    Values are looked at only where that costs no synchronisation, and not at padding. What holds
    for a side input holds for everything in the mappings, lists, tuples and dataclasses that it is.

    Args:
        extras: What the caller gives.
        taken: The names that the model takes.
        required: Those of them that must be given.
        *padding_masks: (B, N) and perhaps (B, T) bool.

    Raises:
        TypeError: A name is unknown or missing, or a value is None or an array of another library.
        ValueError: A tensor has not a row for each utterance, or a number is not finite.
    """
    takes = ", ".join(f"`{name}`" for name in sorted(taken)) or "none"
    for name in sorted(extras.keys() - set(taken)):
        raise TypeError(f"`{name}` is not a side input of this model; it takes {takes}.")
    for name in sorted(set(required) - extras.keys()):
        raise TypeError(f"`{name}` is missing; this model takes the side inputs {takes}.")
    for name, value in extras.items():
        _check(name, value, padding_masks)


def _check(path: str, value: Any, padding_masks: tuple[Tensor, ...]) -> None:
    """Refuse what does not fit in a value or anywhere within it."""
    if isinstance(value, Tensor):
        _check_rows(path, value, padding_masks[0].shape[0])
        _check_finite(path, value, padding_masks)
    elif value is None:
        raise TypeError(f"`{path}` is None; this model needs it, for example a row an utterance.")
    elif _is_array(value):
        raise TypeError(
            f"`{path}` must be a tensor, not a `{type(value).__name__}`; "
            f"`torch.as_tensor({path})` makes one."
        )
    elif isinstance(value, Real) and not isinstance(value, Integral) and not math.isfinite(value):
        raise ValueError(f"`{path}` must be finite, not {value}.")
    for below, each in children(path, value) or ():
        _check(below, each, padding_masks)


def _is_array(value: Any) -> bool:
    """Return whether a value is numbers in rows and not yet a tensor."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return bool(value) and all(isinstance(each, Number) or _is_array(each) for each in value)
    is_array = hasattr(value, "__array__") and getattr(value, "ndim", 0) > 0
    return is_array and not isinstance(value, Tensor)


def _check_rows(name: str, tensor: Tensor, rows: int) -> None:
    if tensor.dim() == 0 or tensor.shape[0] != rows:
        raise ValueError(
            f"`{name}` must have a row for each of {rows} utterances, not the shape "
            f"{tuple(tensor.shape)}; `.expand({rows}, …)` gives all of them the same."
        )


def _check_finite(name: str, tensor: Tensor, padding_masks: tuple[Tensor, ...]) -> None:
    if _may_be_indices(tensor) or not tensor.numel() or not can_look_inside(tensor):
        return
    # (B, …) -> (B, steps)
    finite = tensor.isfinite().reshape(*tensor.shape[:2], -1).all(-1).reshape(len(tensor), -1)
    for mask in padding_masks:
        if mask.shape == finite.shape:
            finite = finite | mask
    for row in (~finite).any(1).nonzero().flatten().tolist():
        raise ValueError(f"`{name}` must be finite, but row {row} is not.")


def _may_be_indices(tensor: Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex())


def call_part(callee: Callee, *args: Any, **side_inputs: Any) -> Any:
    """Call a part, and name it and its side inputs if an index among them is out of range.

    On a CPU that is found as the row of a table is looked up, and there only.

    Raises:
        IndexError: One is.
    """
    try:
        return callee.entry_point(*args, **side_inputs)
    except IndexError as error:
        ranges = [
            f"`{path}` has indices from {int(each.min())} to {int(each.max())}"
            for name, value in side_inputs.items()
            for path, each in named_tensors(name, value)
            if name not in FROM_THE_MODEL and each.numel() and _may_be_indices(each)
        ]
        if not ranges:
            raise
        raise IndexError(
            f"{callee} was given an index that it does not know: {'; '.join(ranges)}."
        ) from error
