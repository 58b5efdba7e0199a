"""`HalfLinear`: a linear layer with weights of 16 bits and float32 around them, for speaking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

LARGEST = 65504.0
"""The largest number of float16; torch's kernel would cut larger weights to it."""


@final
class HalfLinear(nn.Module):
    """Weights rounded to float16, multiplied in float32 by FBGEMM's kernel for CPUs.

    Args:
        weight: (out, in) float32.
        bias: (out,) float32, or None.

    Raises:
        ValueError: A weight is not finite or larger than float16 has.
    """

    def __init__(self, *, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        if not can_be_half(weight):
            raise ValueError(
                f"`HalfLinear` needs weights of at most {LARGEST:.0f}, not "
                f"{float(weight.abs().max())}; leave such a layer in float32."
            )
        self.out_features, self.in_features = weight.shape
        self._product = torch.ops.quantized.linear_dynamic_fp16.default
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), bias)

    @classmethod
    def of(cls, layer: nn.Linear) -> HalfLinear:
        """Return a layer with rounded weights."""
        bias = None if layer.bias is None else layer.bias.detach().float()
        return cls(weight=layer.weight.detach().float(), bias=bias)

    @property
    def weight(self) -> Tensor:
        """Return the weights in float32, for whoever looks at a layer's weights.

        Shape:
            Returns: (out, in).
        """
        return self._unpacked()[0]

    @property
    def bias(self) -> Tensor | None:
        """Return the bias, or None.

        Shape:
            Returns: (out,).
        """
        return self._unpacked()[1]

    def _unpacked(self) -> tuple[Tensor, Tensor | None]:
        both: tuple[Tensor, Tensor | None] = torch.ops.quantized.linear_unpack_fp16(self._packed)
        return both

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's result, in the type of what it is given.

        Shape:
            x: (..., in). Returns: (..., out).
        """
        rows = x.float() if x.dim() > 1 else x.float().unsqueeze(0)
        result: Tensor = self._product(rows, self._packed)
        return result.view(*x.shape[:-1], self.out_features).to(x.dtype)


def joined_half(layers: Sequence[HalfLinear]) -> HalfLinear:
    """Return several layers with biases over the same input as one, their results joined."""
    return HalfLinear(
        weight=torch.cat([layer.weight for layer in layers]),
        bias=torch.cat([layer.bias for layer in layers if layer.bias is not None]),
    )


def can_be_half(weight: Tensor) -> bool:
    """Return whether float16 can hold weights, rounded."""
    return bool(weight.abs().max() <= LARGEST)  # not of NaN


def has_half_kernel() -> bool:
    """Return whether torch has FBGEMM and would use it."""
    return torch.backends.quantized.engine in ("x86", "fbgemm")
