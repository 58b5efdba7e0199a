"""What modules compute, without what torch does around each call of one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kokoro_core.kernels.choice import by_reference
from kokoro_core.kernels.float16_linear import Float16Linear
from kokoro_core.kernels.fused_linear import FusedLinear
from kokoro_core.kernels.int8_linear import Int8Linear
from kokoro_core.kernels.introspection import is_unmodified_linear, is_watched
from kokoro_core.kernels.packed_linear import PackedLinear
from kokoro_core.kernels.split_linear import SplitLinear

Computation = Callable[[Tensor], Tensor]


def direct(module: nn.Module) -> Computation:
    """Return what computes a module's result for one vector a row, (B, in) to (B, out).

    A call of a module costs as much as a small kernel, and a step of a decoder has a hundred. A
    module whose call somebody would miss is called, and given (B, 1, in) as by any other step. What
    is returned holds the tensors that the module has now.
    """
    if is_watched(module):
        return _called(module)
    if isinstance(module, SplitLinear):
        return _split_product(module)
    if isinstance(module, FusedLinear) or is_unmodified_linear(module):
        return _product(module.weight, module.bias)
    if isinstance(module, PackedLinear | Int8Linear | Float16Linear):
        return module.forward
    return _layer_norm(module) if type(module) is nn.LayerNorm else _called(module)


def _product(weight: Tensor, bias: Tensor | None) -> Computation:
    turned = weight.t()
    if bias is None:
        return lambda x: x.mm(turned)
    return lambda x: torch.addmm(bias, x, turned)


def _split_product(split: SplitLinear) -> Computation:
    weight, bias, parts = split.weight, split.bias, split.weight.shape[0]

    def product(x: Tensor) -> Tensor:
        if x.shape[0] > 1:
            return split.forward(x)
        # (1, in) -> (parts, 1, in) -> (parts, 1, out/parts) -> (1, out)
        return torch.baddbmm(bias, x.expand(parts, 1, -1), weight).view(1, -1)

    return product


def _called(module: nn.Module) -> Computation:
    # (B, in) -> (B, 1, in) -> (B, 1, out) -> (B, out)
    return lambda x: module(x.unsqueeze(1)).squeeze(1)


def _layer_norm(norm: nn.LayerNorm) -> Computation:
    shape, weight, bias, eps = list(norm.normalized_shape), norm.weight, norm.bias, norm.eps
    return lambda x: torch.layer_norm(x, shape, weight, bias, eps)


def is_unmodified(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Return whether a module is of a kind and nobody has a say in what it does."""
    replaced = vars(module).keys() & vars(kind).keys()
    wrapped = any(hasattr(each, "__wrapped__") for each in vars(kind).values())  # by a profiler
    return type(module) is kind and not replaced and not wrapped and not is_watched(module)


def may_go_direct(x: Tensor) -> bool:
    """Return whether a step may go past its modules: on a CPU, without gradients or a compiler."""
    return (
        x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not by_reference()
    )
