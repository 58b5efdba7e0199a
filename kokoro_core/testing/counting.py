"""The size that a component says it has, against the one that is built on the meta device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kokoro_core.slots import (
    DecoderParams,
    DurationPredictorParams,
    EncoderParams,
    PositionalEncodingParams,
    PostnetParams,
    RegulatorParams,
)
from kokoro_core.spec.sizes import Size, Sizes

Part = EncoderParams | DurationPredictorParams | RegulatorParams | DecoderParams | PostnetParams


def check_size(
    params: Part | PositionalEncodingParams, sizes: Sizes, *, num_heads: int = 1
) -> None:
    """A component counts its parameters and buffers right, without building anything.

    A component that says None is not counted, and nothing is checked.

    Args:
        params: The component's settings.
        sizes: What it is built with.
        num_heads: Heads of the stack that a positional encoding is built for.
    """
    arguments: dict[str, Any] = {"sizes": sizes}
    if isinstance(params, PositionalEncodingParams):
        arguments = {"hidden_dim": sizes.hidden_dim, "num_heads": num_heads}
    said: Size | None = params.size(**arguments)
    if said is None:
        return
    with torch.device("meta"):
        built = params.build(**arguments)
    name = type(params).__name__
    parameters = sum(each.numel() for each in built.parameters())
    assert said.parameters == parameters, (
        f"`{name}.size` must count {parameters} parameters, not {said.parameters}"
    )
    kept = buffer_bytes(built)
    assert said.buffer_bytes == kept, (
        f"`{name}.size` must count {kept} bytes of buffers, not {said.buffer_bytes}"
    )


def buffer_bytes(module: nn.Module) -> int:
    """Return the bytes of a module's buffers, each tensor once, floats as float32."""
    return sum(_bytes(each) for each in module.buffers())


def _bytes(tensor: Tensor) -> int:
    item = 4 if tensor.is_floating_point() else tensor.element_size()
    return tensor.numel() * item
