"""Linear layers laid out for decoding step by step, where reading the weights is all the work."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.nn.linear import Linear

ROWS = 4
"""Fewest rows of float32 for which oneDNN reads the weights at full speed; fewer are filled up."""
PACKED_FOR = 8
"""Rows for which the layout is chosen; it is as good for 4 to 64 (docs/generation.md)."""
SMALL = 1 << 16
"""Weights that stay in a cache of the processor, which any layout serves, have fewer numbers."""
PACKED_TYPES = (torch.float32, torch.bfloat16)

AnyModule = TypeVar("AnyModule", bound=nn.Module)


@torch.library.custom_op("kokoro::packed_linear", mutates_args=())
def packed_linear(x: Tensor, weight: Tensor, bias: Tensor | None, outputs: int) -> Tensor:
    """Return the product of oneDNN with a packed weight, as one kernel that a compiler leaves be.

    Inductor would join the kernel of oneDNN with what follows it, which fails where the packed
    weight is no constant of the graph.

    Shape:
        x: (..., in). weight: packed. Returns: (..., outputs).
    """
    kernel = torch.ops.mkldnn._linear_pointwise.default
    result: Tensor = kernel(x, weight, bias, "none", [], "")
    return result


@packed_linear.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None, outputs: int) -> Tensor:
    return x.new_empty((*x.shape[:-1], outputs))


@final
class PackedLinear(nn.Module):
    """One or several linear layers over the same input as one, in the layout of the CPU's kernel.

    It holds a copy of the weights and has no parameters. For eight rows this takes about half of
    the time of ``F.linear``, for one row three quarters (docs/generation.md has the figures).

    Args:
        layers: One, or several with biases; their results are joined along the last dimension.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        weight, self.bias = _joined(layers)
        self._kernel = torch.ops.mkldnn._linear_pointwise.default
        self.outputs = len(weight)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), PACKED_FOR)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layers' results, joined.

        Shape:
            x: (..., in). Returns: (..., out).
        """
        if x.dtype is not torch.float32 or x.numel() >= ROWS * x.shape[-1]:
            return self._product(x)
        if x.numel() == x.shape[-1]:
            # (..., in) -> (ROWS, in) -> (..., out)
            return self._product(x.view(1, -1).expand(ROWS, -1))[0].view(*x.shape[:-1], -1)
        # (..., in) -> (rows, in) -> (ROWS, in) -> (..., out)
        rows = x.reshape(-1, x.shape[-1])
        filled = F.pad(rows, (0, 0, 0, ROWS - len(rows)))
        return self._product(filled)[: len(rows)].view(*x.shape[:-1], -1)

    def _product(self, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            y: Tensor = packed_linear(x, self.weight, self.bias, self.outputs)
        else:
            y = self._kernel(x, self.weight, self.bias, "none", [], "")
        return y


@final
class JoinedLinear(nn.Module):
    """One or several linear layers over the same input as one; it has no parameters of its own.

    Args:
        layers: One, or several with biases; their results are joined along the last dimension.
        by_columns: Lay the weights out by columns, which MKL reads faster for one row.
    """

    def __init__(self, layers: Sequence[nn.Linear], *, by_columns: bool = False) -> None:
        super().__init__()
        weight, bias = _joined(layers)
        # No assignment of a tensor that has a gradient may be taken for a parameter.
        self._both = (weight.t().contiguous().t() if by_columns else weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layers' results, joined.

        Shape:
            x: (..., in). Returns: (..., out).
        """
        weight, bias = self._both
        return F.linear(x, weight, bias)


@final
class SeparateLinears(nn.Module):
    """Several linear layers over the same input, each by itself, for weights of a special kind.

    Args:
        layers: Their results are joined along the last dimension.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layers' results, joined.

        Shape:
            x: (..., in). Returns: (..., out).
        """
        return torch.cat([layer(x) for layer in self.layers], dim=-1)


def _joined(layers: Sequence[nn.Linear]) -> tuple[Tensor, Tensor | None]:
    if len(layers) == 1:
        bias: Tensor | None = layers[0].bias
        return layers[0].weight.detach(), None if bias is None else bias.detach()
    return (
        torch.cat([layer.weight for layer in layers]),
        torch.cat([layer.bias for layer in layers]),
    )


def is_plain(weight: Tensor) -> bool:
    """Return whether a weight is an ordinary tensor, and not for example a quantised one."""
    return type(weight) in (Tensor, nn.Parameter)


def can_pack(weight: Tensor) -> bool:
    """Return whether a packed copy of a weight may stand for it: on a CPU, without gradients."""
    without_gradients = not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")
    has_kernel: bool = torch._C._has_mkldnn and torch._C._get_mkldnn_enabled()
    return (
        is_plain(weight)
        and weight.device.type == "cpu"
        and weight.dtype in PACKED_TYPES
        and without_gradients
        and has_kernel
        and not torch.compiler.is_compiling()
    )


def for_steps(*layers: nn.Linear, rows: int) -> nn.Module:
    """Return what computes these layers over one input, joined, in the way that is fastest.

    Args:
        layers: One, or several with biases.
        rows: Rows of the input, or the most of them.
    """
    if len(layers) > 1 and not all(is_plain(layer.weight) for layer in layers):
        return SeparateLinears(layers)
    plain = layers[0] if len(layers) == 1 else JoinedLinear(layers)
    if not all(can_pack(layer.weight) for layer in layers):
        return plain
    if rows > 1 or layers[0].weight.dtype is not torch.float32:
        return PackedLinear(layers)
    outputs, inputs = sum(layer.out_features for layer in layers), layers[0].in_features
    if outputs < inputs or outputs * inputs < SMALL:
        return plain
    return JoinedLinear(layers, by_columns=True)


def with_children(module: AnyModule, **children: nn.Module | None) -> AnyModule:
    """Return a view of a module with some children replaced; all else is shared with it."""
    view = copy.copy(module)
    vars(view)["_modules"] = {**module._modules, **children}
    return view


def linears_for_steps(module: AnyModule, *, rows: int) -> AnyModule:
    """Return a view of a module whose linear children are laid out for steps of so many rows."""
    found = {
        name: for_steps(child, rows=rows)
        for name, child in module.named_children()
        if isinstance(child, nn.Linear) and type(child) in (nn.Linear, Linear)
    }
    return with_children(module, **found)
