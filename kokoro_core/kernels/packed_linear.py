"""`PackedLinear`: linear layers as the CPU's kernel for small products wants their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels.fused_linear import fused_weights

ROWS = 4
"""Fewest rows of float32 for which oneDNN reads the weights at full speed; fewer are filled up."""
PACKED_FOR = 8
"""Rows for which the layout is chosen; it is as good for 4 to 64 (docs/generation.md)."""


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
        weight, self.bias = fused_weights(layers)
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
