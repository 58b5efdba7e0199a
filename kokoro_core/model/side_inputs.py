"""Side inputs that the caller gives: who they are, and whether they fit the batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from torch import Tensor

from kokoro_core.contracts import map_tensors
from kokoro_core.contracts.answers import Asked
from kokoro_core.spec.rules.side_inputs import FROM_THE_MODEL
from kokoro_core.tensors.masks import can_look_inside


def check_extras(extras: Mapping[str, Any], taken: Collection[str], *padding_masks: Tensor) -> None:
    """Refuse side inputs that no part takes, that are missing, or that do not fit the batch.

    Values are looked at only where that costs no synchronisation, and not at padding.

    Args:
        extras: What the caller gives.
        taken: The names that the model takes.
        *padding_masks: (B, N) and perhaps (B, T) bool.

    Raises:
        TypeError: A name is unknown or missing, or its value is None.
        ValueError: A tensor has not a row for each utterance, or is not finite.
    """
    takes = ", ".join(f"`{name}`" for name in sorted(taken)) or "none"
    for name in sorted(extras.keys() - set(taken)):
        raise TypeError(f"`{name}` is no side input of this model; it takes {takes}.")
    for name in sorted(set(taken) - extras.keys()):
        raise TypeError(f"`{name}` is missing; this model takes the side inputs {takes}.")
    for name, value in extras.items():
        _check(name, value, padding_masks)


def _check(name: str, value: Any, padding_masks: tuple[Tensor, ...]) -> None:
    if value is None:
        raise TypeError(f"`{name}` is None; this model needs it, for example a row an utterance.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"`{name}` must be finite, not {value}.")
    for tensor in tensors_in(value):
        _check_rows(name, tensor, padding_masks[0].shape[0])
        _check_finite(name, tensor, padding_masks)


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors in a side input: itself, or those in its fields."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(keep, value)
    return found


def _check_rows(name: str, tensor: Tensor, rows: int) -> None:
    if tensor.dim() == 0 or tensor.shape[0] != rows:
        raise ValueError(
            f"`{name}` must have a row for each of {rows} utterances, not the shape "
            f"{tuple(tensor.shape)}; `.expand({rows}, …)` gives all of them the same."
        )


def _check_finite(name: str, tensor: Tensor, padding_masks: tuple[Tensor, ...]) -> None:
    if not (tensor.is_floating_point() and tensor.numel() and can_look_inside(tensor)):
        return
    # (B, …) -> (B, steps)
    finite = tensor.isfinite().reshape(*tensor.shape[:2], -1).all(-1).reshape(len(tensor), -1)
    for mask in padding_masks:
        if mask.shape == finite.shape:
            finite = finite | mask
    for row in (~finite).any(1).nonzero().flatten().tolist():
        raise ValueError(f"`{name}` must be finite, but row {row} is not.")


def ask(asked: Asked, entry_point: Callable[..., Any], *args: Any, **side_inputs: Any) -> Any:
    """Call a part, and name it and its side inputs if an index among them is out of range.

    On a CPU that is found as the row of a table is looked up, and there only.

    Raises:
        IndexError: One is.
    """
    try:
        return entry_point(*args, **side_inputs)
    except IndexError as error:
        ranges = [
            f"`{name}` has indices from {int(each.min())} to {int(each.max())}"
            for name, value in side_inputs.items()
            for each in tensors_in(value)
            if name not in FROM_THE_MODEL and each.numel() and not each.is_floating_point()
        ]
        if not ranges:
            raise
        raise IndexError(
            f"{asked} was given an index that it does not know: {'; '.join(ranges)}."
        ) from error
