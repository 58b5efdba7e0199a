"""Several linear layers over the same input as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@final
class FusedLinear(nn.Module):
    """One or several linear layers over the same input as one; it has no parameters of its own.

    Args:
        layers: One, or several with biases; their results are joined along the last dimension.
        by_columns: Lay the weights out by columns, which MKL reads faster for one row.
    """

    def __init__(self, layers: Sequence[nn.Linear], *, by_columns: bool = False) -> None:
        super().__init__()
        weight, self.bias = fused_weights(layers)
        self.weight = weight.t().contiguous().t() if by_columns else weight

    def forward(self, x: Tensor) -> Tensor:
        """Return the layers' results, joined.

        Shape:
            x: (..., in). Returns: (..., out).
        """
        return F.linear(x, self.weight, self.bias)


def side_by_side(x: Tensor, *layers: nn.Module | None) -> Tensor:
    """Return the results of layers over the same input, joined along the last dimension.

    Where `optimize_for_decoding` made one of them, it stands first and the others are None.

    Shape:
        x: (..., in). Returns: (..., out).
    """
    results = [layer(x) for layer in layers if layer is not None]
    return results[0] if len(results) == 1 else torch.cat(results, -1)


def fused_weights(layers: Sequence[nn.Linear]) -> tuple[Tensor, Tensor | None]:
    """Return weights and biases of layers as those of one; it shares the weights of a single one.

    Shape:
        Returns: (out, in), and (out,) or None.
    """
    if len(layers) == 1:
        bias: Tensor | None = layers[0].bias
        return layers[0].weight.detach(), None if bias is None else bias.detach()
    return (
        torch.cat([layer.weight for layer in layers]),
        torch.cat([layer.bias for layer in layers]),
    )
