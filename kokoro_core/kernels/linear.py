"""`Linear`: in float32 on the CPU trained through oneDNN, which is a quarter faster than MKL."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from kokoro_core.kernels import cpu, reference


class _LinearOfOneDnn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        # (..., out) -> (rows, out)
        rows = grad.reshape(-1, grad.shape[-1])
        return (
            product(grad, weight.t()) if for_x else None,
            rows.t() @ x.reshape(-1, x.shape[-1]) if for_weight else None,
            rows.sum(0) if for_bias else None,
        )


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``x @ weight.T + bias``, in float32 on a CPU as oneDNN computes it.

    Rows with gaps between them would cost oneDNN a hundred times as much.
    """
    if x.device.type != "cpu" or x.dtype is not torch.float32 or not cpu.has_onednn():
        return reference.linear(x, weight, bias)
    rows = x.contiguous()
    result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return result


def trains_with_onednn(x: Tensor, weight: Tensor) -> bool:
    """Return whether a product is one that oneDNN serves: float32, in training, on a CPU."""
    return (
        torch.is_grad_enabled()
        and (x.requires_grad or weight.requires_grad)
        and type(x) is Tensor
        and is_plain(weight)
        and x.device.type == "cpu"
        and x.dtype is weight.dtype is torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and cpu.has_onednn()
    )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return what `reference.linear` returns; in training by oneDNN without a second derivative.

    Shape:
        x: (..., in). weight: (out, in). bias: (out,). Returns: (..., out).
    """
    if not trains_with_onednn(x, weight):
        return reference.linear(x, weight, bias)
    result: Tensor = _LinearOfOneDnn.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return result


def is_plain(weight: Tensor) -> bool:
    """Return whether a weight is an ordinary tensor, and not for example a quantised one."""
    return type(weight) in (Tensor, nn.Parameter)


@final
class Linear(nn.Linear):
    """`torch.nn.Linear`, whose products in float32 on a CPU are oneDNN's while it is trained.

    Its derivative has no derivative there.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x @ weight.T + bias``.

        Shape:
            x: (..., in). Returns: (..., out).
        """
        return linear(x, self.weight, self.bias)
