"""Check the kind, types and shapes of what a part returned against its contract.

Values are not checked, so nothing waits for a device; in the decoding loop only the first step is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from kokoro_core.contracts.values import (
    AdaptorOutput,
    AlignerOutput,
    DecoderOutput,
    DurationOutput,
    EncoderOutput,
    Latents,
    Plan,
)
from kokoro_core.tensors.compiled import original

Kind = TypeVar("Kind")
Shape = tuple[int | None, ...]
"""Sizes; None accepts any size."""


class Callee(NamedTuple):
    """The part that is called, and its entry point, for error messages.

    Attributes:
        slot: The slot that the part fills.
        part: The part.
        method: The entry point that is called.
    """

    slot: str
    part: nn.Module
    method: str = "forward"

    @property
    def entry_point(self) -> Callable[..., Any]:
        """The callable; for `forward` it is the module itself, so that its hooks run."""
        return self.part if self.method == "forward" else getattr(self.part, self.method)

    def __str__(self) -> str:
        return f"`{self.slot}` (`{type(original(self.part)).__name__}`)"


def kind(value: Any, expected: type[Kind], callee: Callee) -> Kind:
    """Return the value if it is of the expected class.

    Raises:
        TypeError: It is of another class; the error names slot, class and method.
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
    """Return the value if it is a tensor of the expected shape and type.

    Args:
        value: The returned value.
        shape: The expected shape.
        callee: The part that returned it.
        name: The field of the returned value; None: the value itself.
        dtype: The expected type; None: any floating type.

    Raises:
        TypeError: It is not a tensor.
        ValueError: It has another shape or type.
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


def encoder_output(
    value: Any, shape: tuple[int, int, int | None], parts: Mapping[str, int], callee: Callee
) -> EncoderOutput:
    """Return an encoder's output, a plain tensor as one without parts, if shapes are (B, N, ·).

    Raises:
        TypeError, ValueError: As `kind` and `tensor`; or it gives other parts than it declares.
    """
    if not parts and not isinstance(value, EncoderOutput):
        return EncoderOutput(tensor(value, shape, callee))
    output = kind(value, EncoderOutput, callee)
    tensor(output.hidden, shape, callee, "hidden")
    if output.parts.keys() != parts.keys():
        raise ValueError(
            f"{callee} must return the parts that its params declare, "
            f"{sorted(parts)}, not {sorted(output.parts)}."
        )
    for name, width in parts.items():
        tensor(output.parts[name], (*shape[:2], width), callee, f"parts['{name}']")
    _losses(output.losses, callee)
    return output


def aligner_output(value: Any, shape: tuple[int, int, int], callee: Callee) -> AlignerOutput:
    """Return an aligner's output if it fits (B, N, T).

    Raises:
        TypeError, ValueError: As `kind` and `tensor`.
    """
    output = kind(value, AlignerOutput, callee)
    rows, phonemes, frames = shape
    tensor(output.durations, (rows, phonemes), callee, "durations", torch.int64)
    if output.soft is not None:
        tensor(output.soft, (rows, frames, phonemes), callee, "soft")
    _losses(output.losses, callee)
    return output


def latents(value: Any, shape: tuple[int, int], callee: Callee) -> Latents:
    """Return a decoder's latents if there is a vector for each frame (B, T).

    Raises:
        TypeError, ValueError: As `kind` and `tensor`.
    """
    made = kind(value, Latents, callee)
    tensor(made.z, (*shape, None), callee, "z")
    tensor(made.log_determinant, shape[:1], callee, "log_determinant")
    return made


def adaptor_output(value: Any, shape: tuple[int, int, int], callee: Callee) -> AdaptorOutput:
    """Return an adaptor's output if its vectors have the shape (B, L, H).

    Raises:
        TypeError, ValueError: As `kind` and `tensor`.
    """
    output = kind(value, AdaptorOutput, callee)
    tensor(output.x, shape, callee, "x")
    if output.prediction is not None:
        wanted = (*shape[:2], None)[: output.prediction.dim()]
        tensor(output.prediction, wanted, callee, "prediction")
    _losses(output.losses, callee)
    return output


def decoder_output(
    value: Any, shape: tuple[int, int | None, int | None], callee: Callee
) -> DecoderOutput:
    """Return a decoder's output if its mel has the shape (B, T, M).

    Raises:
        TypeError, ValueError: As `kind` and `tensor`.
    """
    output = kind(value, DecoderOutput, callee)
    tensor(output.mel, shape, callee, "mel")
    if output.stop_logits is not None:
        tensor(output.stop_logits, shape[:2], callee, "stop_logits")
    if output.lengths is not None:
        tensor(output.lengths, shape[:1], callee, "lengths", torch.int64)
    if output.durations is not None:
        tensor(output.durations, (shape[0], None), callee, "durations", torch.int64)
    _losses(output.losses, callee)
    return output


def duration_output(value: Any, shape: tuple[int, int], callee: Callee) -> DurationOutput:
    """Return a duration predictor's output if its predictions have the shape (B, N).

    Raises:
        TypeError, ValueError: As `kind` and `tensor`.
    """
    output = kind(value, DurationOutput, callee)
    if output.duration_pred is not None:
        tensor(output.duration_pred, shape, callee, "duration_pred")
    _losses(output.losses, callee)
    return output


def plan(value: Any, shape: tuple[int, int], num_frames: int | None, callee: Callee) -> Plan:
    """Return a regulator's plan if it fits the phonemes (B, N) and the number of frames.

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
