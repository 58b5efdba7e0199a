"""Decoders in another precision than their model."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor

from kokoro_core.contracts import Decoder, map_tensors
from kokoro_core.generation.request import Utterances
from kokoro_core.kernels import DerivedCache, cpu, quantize_weights


@final
class DecoderCopies:
    """Copies of a decoder in other precisions, each made once and kept while the decoder is.

    Only the decoder is copied: it is where the time goes, and durations stay what they are.
    """

    def __init__(self) -> None:
        self._kept: dict[torch.dtype, DerivedCache[Decoder]] = {}

    def get(self, decoder: Decoder, dtype: torch.dtype | None) -> Decoder:
        """Return the decoder in a precision: itself if it is in that already."""
        if dtype is None or all(each.dtype == dtype for each in decoder.parameters()):
            return decoder
        kept = self._kept.setdefault(dtype, DerivedCache())
        return kept.get(decoder, lambda: converted(decoder, dtype))

    def clear(self) -> None:
        """Forget all copies, and free their memory."""
        self._kept.clear()

    def __deepcopy__(self, memo: dict[int, Any]) -> DecoderCopies:
        return DecoderCopies()

    def __reduce__(self) -> tuple[type[DecoderCopies], tuple[()]]:
        return DecoderCopies, ()


def converted(decoder: Decoder, dtype: torch.dtype) -> Decoder:
    """Return a copy of a decoder in another precision, which nobody watches and nobody trains."""
    twin = copy.deepcopy(decoder).requires_grad_(False)
    for name in twin.entry_points:
        # What watches the decoder was put on the instance, and would call the other one.
        vars(twin).pop(name, None)
    for parameter in twin.parameters():
        parameter.grad = None
    device = next((each.device for each in twin.parameters()), torch.device("cpu"))
    twin.to(arithmetic(dtype, device))
    if has_quantized_weights(dtype, device):
        quantize_weights(twin, dtype)
    return twin


def arithmetic(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return what a decoder of this precision computes in."""
    return torch.float32 if has_quantized_weights(dtype, device) else dtype


def has_quantized_weights(dtype: torch.dtype, device: torch.device) -> bool:
    """Return whether only the weights are of this type, and float32 is around them.

    So it is in int8, and in float16 on a CPU that does not itself calculate in float16.
    """
    return dtype is torch.int8 or (
        dtype is torch.float16 and device.type == "cpu" and not cpu.processor().float16_arithmetic
    )


def converted_inputs(
    side_inputs: dict[str, Any], utterances: Utterances, dtype: torch.dtype
) -> tuple[dict[str, Any], Utterances]:
    """Return what a decoder is given, numbers with a fraction in its precision."""

    def convert(tensor: Tensor) -> Tensor:
        return tensor.to(dtype) if tensor.is_floating_point() else tensor

    memory = replace(utterances.memory, vectors=convert(utterances.memory.vectors))
    converted = {name: map_tensors(convert, value) for name, value in side_inputs.items()}
    return converted, replace(utterances, memory=memory)
