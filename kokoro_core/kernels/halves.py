"""Two halves of what one layer makes, whose gradients need no copy to become one again.

autograd joins the gradients of `chunk` by copying both. Attention in blocks writes those of keys
and values side by side, so that together they are the gradient already.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kokoro_core.kernels.choice import by_reference


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return both halves of the last dimension, as views; their derivative has no derivative.

    Shape:
        x: (B, T, 2 H). Returns: two tensors (B, T, H).
    """
    if torch.compiler.is_compiling() or by_reference() or not torch.is_grad_enabled():
        first, second = x.chunk(2, dim=-1)
    else:
        first, second = _Halves.apply(x)  # type: ignore[no-untyped-call]
    return first, second


def are_heads_of_halves(keys: Tensor, values: Tensor) -> bool:
    """Return whether keys and values are the halves of one projection, parted into heads.

    Shape:
        keys, values: (B, heads, T, width).
    """
    # (B, heads, T, width) -> (B, T, heads, width)
    first, second = keys.transpose(1, 2), values.transpose(1, 2)
    joined = first.dim() == 4 and first.stride(2) == first.shape[3] and first.shape == second.shape
    # (B, T, heads, width) -> (B, T, H)
    return joined and _side_by_side(first.flatten(2), second.flatten(2))


def empty_halves(like: Tensor) -> tuple[Tensor, Tensor]:
    """Return two empty tensors that lie side by side, as the halves of a projection do.

    Shape:
        like: (B, heads, T, width). Returns: two tensors of that shape.
    """
    rows, heads, length, width = like.shape
    # (B, T, 2, heads, width) -> (2, B, heads, T, width)
    both = like.new_empty(rows, length, 2, heads, width).permute(2, 0, 3, 1, 4)
    return both[0], both[1]


class _Halves(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, ...]:
        # Views of `x` itself could not be written to by whom they are given.
        return x.detach().chunk(2, dim=-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, first: Tensor, second: Tensor) -> Tensor:
        if not _side_by_side(first, second):
            return torch.cat([first, second], dim=-1)
        shape = (*first.shape[:-1], 2 * first.shape[-1])
        return first.as_strided(shape, first.stride(), first.storage_offset())


def _side_by_side(first: Tensor, second: Tensor) -> bool:
    """Return whether two tensors are the halves of one that has no gaps."""
    width = first.shape[-1]
    *_, step, single = (0, *first.stride())
    return (
        first.numel() > 0
        and first.shape == second.shape
        and first.stride() == second.stride()
        and first.untyped_storage()._cdata == second.untyped_storage()._cdata
        and second.storage_offset() - first.storage_offset() == width
        and (step, single) == (2 * width, 1)
    )
