"""`SplitLinear`: linear layers whose weights several threads read for one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.kernels.fused_linear import fused_weights


@final
class SplitLinear(nn.Module):
    """One or several linear layers over the same input as one, each thread with its own outputs.

    MKL reads a matrix for one row with one thread, whatever number there is; in a batch of products
    each thread has one of them. It holds a copy of the weights and has no parameters.

    Args:
        layers: One, or several with biases; their results are joined along the last dimension.
        parts: Threads, or more; the outputs must be so many times a whole number.
    """

    def __init__(self, layers: Sequence[nn.Linear], *, parts: int) -> None:
        super().__init__()
        weight, bias = fused_weights(layers)
        outputs, self.inputs = weight.shape
        # (out, in) -> (parts, in, out/parts), by columns or by rows, whichever are longer
        split = weight.view(parts, -1, self.inputs).transpose(1, 2)
        self.weight = split.contiguous() if outputs >= self.inputs else split
        # (out,) -> (parts, 1, out/parts)
        given = weight.new_zeros(outputs) if bias is None else bias
        self.bias = given.view(parts, 1, -1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layers' results, joined.

        Shape:
            x: (..., in), fastest for one row. Returns: (..., out).
        """
        # (..., in) -> (parts, rows, in)
        rows = x.reshape(1, -1, self.inputs).expand(self.weight.shape[0], -1, -1)
        parts = torch.baddbmm(self.bias, rows, self.weight)
        # (parts, rows, out/parts) -> (..., out), without a copy for one row
        return parts.transpose(0, 1).reshape(*x.shape[:-1], -1)


def parts_for(outputs: int, threads: int) -> int:
    """Return into how many equal parts outputs are split so that each thread has one."""
    return next(
        parts for parts in range(min(threads, outputs), outputs + 1) if outputs % parts == 0
    )
