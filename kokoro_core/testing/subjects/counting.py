"""The size that a component says it has, against the one that is built on the meta device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kokoro_core.params.sizes import Size, Sizes
from kokoro_core.slots import (
    DecoderParams,
    DurationPredictorParams,
    EncoderParams,
    PositionalEncodingParams,
    PostnetParams,
    RegulatorParams,
)

Part = EncoderParams | DurationPredictorParams | RegulatorParams | DecoderParams | PostnetParams


def check_size(
    params: Part | PositionalEncodingParams, sizes: Sizes, *, num_heads: int = 1
) -> None:
    """A component counts its parameters and buffers right, without building anything.

    A count that is not complete must not be above what is built.

    Args:
        params: The component's settings.
        sizes: What it is built with.
        num_heads: Heads of the stack that a positional encoding is built for.
    """
    arguments: dict[str, Any] = {"sizes": sizes}
    if isinstance(params, PositionalEncodingParams):
        arguments = {"hidden_dim": sizes.hidden_dim, "num_heads": num_heads}
    name = type(params).__name__
    said: Size | None = params.size(**arguments)
    assert said is not None, f"`{name}.size` returns None, so no limit would hold the component"
    with torch.device("meta"):
        built = params.build(**arguments)
    parameters = sum(each.numel() for each in built.parameters())
    kept = buffer_bytes(built)
    for what, counted, has in (
        ("parameters", said.parameters, parameters),
        ("bytes of buffers", said.buffer_bytes, kept),
    ):
        right = counted == has if said.complete else counted <= has
        most = "" if said.complete else "at most "
        assert right, f"`{name}.size` must count {most}{has} {what}, not {counted}"


def buffer_bytes(module: nn.Module) -> int:
    """Return the bytes of a module's buffers, each tensor once, floats as float32."""
    return sum(_bytes(each) for each in module.buffers())


def _bytes(tensor: Tensor) -> int:
    item = 4 if tensor.is_floating_point() else tensor.element_size()
    return tensor.numel() * item
