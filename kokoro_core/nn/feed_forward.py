"""`FeedForward`: two linear layers with ReLU and dropout between them, in little memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, cast, final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from kokoro_core.kernels.dropout import (
    ReluDropout,
    relu_and_drop_,
    scale_of_kept,
    uses_seeded_masks,
)
from kokoro_core.kernels.introspection import is_unmodified_linear, is_watched
from kokoro_core.kernels.linear import Linear, product


@final
class FeedForward(nn.Sequential):
    """Linear, ReLU, dropout, linear (Vaswani et al., 2017, section 3.3).

    The wide layer and its gradient, the largest tensors of a transformer, each exist once: what is
    below 0 or dropped is set to 0 in place, and tells on the way back where nothing passed. A chain
    of modules has each of them two or three times. The derivative has no derivative on a CPU.

    Args:
        hidden_dim: Width of input and output (H).
        ff_dim: Width between the two.
        dropout: Of what is between them, in training.
    """

    def __init__(self, *, hidden_dim: int, ff_dim: int, dropout: float) -> None:
        layers = {
            "0": Linear(hidden_dim, ff_dim),
            "1": ReluDropout(dropout),
            "3": Linear(ff_dim, hidden_dim),  # the name that checkpoints know
        }
        super().__init__(OrderedDict(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Run the block.

        Shape:
            x: (..., H). Returns: (..., H).
        """
        first, last = self[0], cast("Linear", self[-1])
        between = cast("ReluDropout", self[1])
        # (..., H) -> (rows, ff): no view, so that it may be changed in place
        wide = first(x.reshape(-1, x.shape[-1]))
        learns = torch.is_grad_enabled() and wide.requires_grad
        if not (learns and self._is_plain() and between.p < 1 and uses_seeded_masks(wide)):
            result: Tensor = last(between(wide))
            return result.view(x.shape)
        p = between.p if self.training else 0.0
        result = _ReluDropoutLinear.apply(  # type: ignore[no-untyped-call]
            wide, last.weight.detach(), last.bias.detach(), p
        )
        result = _LearnLinear.apply(  # type: ignore[no-untyped-call]
            result, wide.detach(), last.weight, last.bias
        )
        # (rows, H) -> (..., H)
        return result.view(x.shape)

    def _is_plain(self) -> bool:
        """Return whether nobody would miss the calls, or what they would have been given."""
        first, between, last = self
        drops = type(between) is ReluDropout and not is_watched(between)
        return drops and is_unmodified_linear(first) and is_unmodified_linear(last)


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
    """Gives the result of a linear layer on, and on the way back the gradients of its weights.

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
