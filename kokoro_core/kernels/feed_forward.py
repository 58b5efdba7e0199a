"""The feed-forward block in little memory: its wide layer and the gradient of that exist once."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from kokoro_core.kernels import reference
from kokoro_core.kernels.dropout import (
    ReluDropout,
    relu_and_drop_,
    scale_of_kept,
    uses_seeded_masks,
)
from kokoro_core.kernels.introspection import is_unmodified_linear, is_watched
from kokoro_core.kernels.linear import Linear, product


def feed_forward(x: Tensor, first: nn.Module, relu_dropout: nn.Module, last: nn.Module) -> Tensor:
    """Return what `reference.feed_forward` returns.

    In training on a CPU the wide layer and its gradient, the largest tensors of a transformer, each
    exist once: what is below 0 or dropped is set to 0 in place, and tells the backward pass where
    nothing passed. A chain of modules has each of them two or three times. The derivative has no
    derivative there.

    Shape:
        x: (..., H). Returns: (..., H).
    """
    if not _may_overwrite(x, first, relu_dropout, last):
        return reference.feed_forward(x, first, relu_dropout, last)
    # (..., H) -> (rows, ff): no view, so that it may be changed in place
    wide = first(x.reshape(-1, x.shape[-1]))
    p = cast("ReluDropout", relu_dropout).p if relu_dropout.training else 0.0
    weight, bias = cast("Linear", last).weight, cast("Linear", last).bias
    result = _ReluDropoutLinear.apply(  # type: ignore[no-untyped-call]
        wide, weight.detach(), bias.detach(), p
    )
    learned: Tensor = _LearnLinear.apply(  # type: ignore[no-untyped-call]
        result, wide.detach(), weight, bias
    )
    # (rows, H) -> (..., H)
    return learned.view(x.shape)


def _may_overwrite(x: Tensor, first: nn.Module, relu_dropout: nn.Module, last: nn.Module) -> bool:
    """Return whether the block learns, and nobody would miss the calls or what they are given."""
    return (
        torch.is_grad_enabled()
        and uses_seeded_masks(x)
        and (x.requires_grad or any(each.requires_grad for each in first.parameters()))
        and type(relu_dropout) is ReluDropout
        and relu_dropout.p < 1
        and not is_watched(relu_dropout)
        and is_unmodified_linear(first)
        and is_unmodified_linear(last)
    )


class _ReluDropoutLinear(torch.autograd.Function):
    """The block from the wide layer on, as the wide layer's gradient sees it."""

    @staticmethod
    def forward(ctx: Any, wide: Tensor, weight: Tensor, bias: Tensor, p: float) -> Tensor:
        # Nobody else has this tensor, and the layer that made it needs it no more.
        relu_and_drop_(wide.detach(), p)
        ctx.save_for_backward(wide, weight)
        ctx.scale = scale_of_kept(p)
        with torch.autocast("cpu", enabled=False):
            return product(wide, weight.to(wide.dtype), bias.to(wide.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        wide, weight = ctx.saved_tensors
        to_wide = product(grad, weight.to(grad.dtype).t())
        # What was dropped is 0 like what was below 0, so one comparison finds both.
        torch.ops.aten.threshold_backward(to_wide, wide, 0, grad_input=to_wide)
        to_wide *= ctx.scale
        return to_wide, None, None, None


class _LearnLinear(torch.autograd.Function):
    """Gives the result of a linear layer on, and in the backward pass the gradients of its weights.

    It is a function of its own so that they are added up, and gone, before the gradient of the
    layer's input is made, which is as large as the input.
    """

    @staticmethod
    def forward(ctx: Any, result: Tensor, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        ctx.dtype = weight.dtype
        return result.view_as(result)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        _, _, for_weight, for_bias = ctx.needs_input_grad
        to_weight = (grad.t() @ x).to(ctx.dtype) if for_weight else None
        return grad, None, to_weight, grad.sum(0).to(ctx.dtype) if for_bias else None
