"""Compare the size that a component declares with what it allocates on the meta device."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from kokoro_core.params.sizes import Size, Sizes
from kokoro_core.testing.subjects.subject import NUM_HEADS, build_arguments


def check_size(params: Any, sizes: Sizes, *, num_heads: int = NUM_HEADS) -> None:
    """Assert that the `size` of a model part's settings counts what `build` allocates.

    A size that is not `complete` must not exceed what is built.

    Args:
        params: The component's settings.
        sizes: Of the model around it.
        num_heads: Of the stack around a positional encoding.
    """
    arguments = build_arguments(params, sizes, num_heads)
    name = type(params).__name__
    declared: Size | None = params.size(**arguments)
    assert declared is not None, f"`{name}.size` returns None, so no limit would hold the component"
    with torch.device("meta"):
        built = params.build(**arguments)
    parameters = sum(each.numel() for each in built.parameters())
    buffers = buffer_bytes(built)
    for what, counted, has in (
        ("parameters", declared.parameters, parameters),
        ("bytes of buffers", declared.buffer_bytes, buffers),
    ):
        right = counted == has if declared.complete else counted <= has
        most = "" if declared.complete else "at most "
        assert right, f"`{name}.size` must count {most}{has} {what}, not {counted}"


def buffer_bytes(module: nn.Module) -> int:
    """Return the bytes of a module's buffers, counting each tensor once and floats as float32."""
    return sum(
        each.numel() * (4 if each.is_floating_point() else each.element_size())
        for each in module.buffers()
    )
