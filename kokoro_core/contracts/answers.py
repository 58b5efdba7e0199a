"""Whether what a part returned is what its contract promises: kinds, types and shapes alone.

No value is looked at, so nothing waits for a device; in the loop of steps only the first is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from kokoro_core.contracts.values import DecoderOutput, DurationOutput, Plan
from kokoro_core.tensors.compiled import original

Kind = TypeVar("Kind")
Shape = tuple[int | None, ...]
"""Sizes; None is any."""


class Callee(NamedTuple):
    """The part that is called, and how, for the error.

    Attributes:
        slot: Where the part is.
        part: The part.
        method: Which of its entry points is called.
    """

    slot: str
    part: nn.Module
    method: str = "forward"

    @property
    def entry_point(self) -> Callable[..., Any]:
        """What is called: the module itself for `forward`, so that its hooks run."""
        return self.part if self.method == "forward" else getattr(self.part, self.method)

    def __str__(self) -> str:
        return f"`{self.slot}` (`{type(original(self.part)).__name__}`)"


def kind(value: Any, expected: type[Kind], callee: Callee) -> Kind:
    """Return what a part returned, refusing what is of another class.

    Raises:
        TypeError: It is; the error names slot, class and method.
    """
    if not isinstance(value, expected):
        raise TypeError(
            f"{callee} must return a `{expected.__name__}` from `{callee.method}`, "
            f"not a `{type(value).__name__}`."
        )
    return value


def tensor(
    value: Any,
    shape: Shape,
    callee: Callee,
    name: str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return a tensor that a part returned, refusing another shape or type.

    Args:
        value: What was returned.
        shape: What it must be.
        callee: Who returned it.
        name: Of the field in what was returned; None: it is all of that.
        dtype: What it must be of; None: any floating type.

    Raises:
        TypeError: It is no tensor.
        ValueError: It is of another shape or type.
    """
    if isinstance(value, Tensor) and _fits(value, shape, dtype):
        return value
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    type_ = "floating" if dtype is None else str(dtype).removeprefix("torch.")
    what = f"`{name}` as a tensor" if name else "a tensor"
    rule = f"{callee} must return {what} of shape ({wanted}) and {type_} from `{callee.method}`"
    if not isinstance(value, Tensor):
        raise TypeError(f"{rule}, not a `{type(value).__name__}`.")
    found = str(value.dtype).removeprefix("torch.")
    raise ValueError(f"{rule}, not one of shape {tuple(value.shape)} and {found}.")


def _fits(value: Tensor, shape: Shape, dtype: torch.dtype | None) -> bool:
    if value.dim() != len(shape):
        return False
    if not (value.dtype.is_floating_point if dtype is None else value.dtype is dtype):
        return False
    pairs = zip(shape, value.shape, strict=True)
    return all(wanted is None or wanted == size for wanted, size in pairs)


def decoder_output(value: Any, shape: tuple[int, int, int | None], callee: Callee) -> DecoderOutput:
    """Return a decoder's output, refusing a mel of another shape (B, T, M).

    Raises:
        TypeError, ValueError: As `kind` and `tensor`.
    """
    output = kind(value, DecoderOutput, callee)
    tensor(output.mel, shape, callee, "mel")
    if output.stop_logits is not None:
        tensor(output.stop_logits, shape[:2], callee, "stop_logits")
    _losses(output.losses, callee)
    return output


def duration_output(value: Any, shape: tuple[int, int], callee: Callee) -> DurationOutput:
    """Return a duration predictor's output, refusing predictions of another shape (B, N).

    Raises:
        TypeError, ValueError: As `kind` and `tensor`.
    """
    output = kind(value, DurationOutput, callee)
    if output.duration_pred is not None:
        tensor(output.duration_pred, shape, callee, "duration_pred")
    _losses(output.losses, callee)
    return output


def plan(value: Any, shape: tuple[int, int], num_frames: int | None, callee: Callee) -> Plan:
    """Return a regulator's plan of phonemes (B, N), refusing one of other rows or frames.

    Raises:
        TypeError, ValueError: As `kind` and `tensor`.
    """
    made = kind(value, Plan, callee)
    tensor(made.lengths, shape[:1], callee, "lengths", torch.int64)
    tensor(made.padding_mask, (shape[0], num_frames), callee, "padding_mask", torch.bool)
    tensor(made.durations, shape, callee, "durations", torch.int64)
    return made


def _losses(losses: Any, callee: Callee) -> None:
    kind(losses, dict, callee)
    for name, loss in losses.items():
        tensor(loss, (), callee, f"losses['{name}']")
