"""`Float16Linear`: a linear layer with weights of 16 bits and float32 around them, for speaking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels import cpu

LARGEST = 65504.0
"""The largest number of float16; torch's kernel would cut larger weights to it."""


class Float16Weights(Protocol):
    """Weights rounded to float16, in the form that a way of multiplying wants."""

    def product(self, x: Tensor) -> Tensor:
        """Return ``x @ weight.T + bias``.

        Shape:
            x: (rows, in) float32. Returns: (rows, out).
        """

    def both(self) -> tuple[Tensor, Tensor | None]:
        """Return weights in float32 and bias.

        Shape:
            Returns: (out, in), and (out,) or None.
        """


@final
class FbgemmWeights(Float16Weights):
    """Weights as FBGEMM packs them, whose kernel widens them while it multiplies."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), bias)

    def product(self, x: Tensor) -> Tensor:
        """Return ``x @ weight.T + bias``."""
        result: Tensor = torch.ops.quantized.linear_dynamic_fp16.default(x, self._packed)
        return result

    def both(self) -> tuple[Tensor, Tensor | None]:
        """Return weights in float32 and bias."""
        found: tuple[Tensor, Tensor | None] = torch.ops.quantized.linear_unpack_fp16(self._packed)
        return found


@final
class WidenedWeights(Float16Weights):
    """Weights that are widened to float32 for each product, which any processor can."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self._weight, self._bias = weight.half(), bias

    def product(self, x: Tensor) -> Tensor:
        """Return ``x @ weight.T + bias``."""
        return F.linear(x, *self.both())

    def both(self) -> tuple[Tensor, Tensor | None]:
        """Return weights in float32 and bias."""
        return self._weight.float(), self._bias


@final
class Float16Linear(nn.Module):
    """Weights rounded to float16, multiplied in float32: by FBGEMM's kernel if that is there.

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
                f"`Float16Linear` needs weights of at most {LARGEST:.0f}, not "
                f"{float(weight.abs().max())}; leave such a layer in float32."
            )
        self.out_features, self.in_features = weight.shape
        kind = FbgemmWeights if cpu.has_float16_kernel() else WidenedWeights
        self._weights: Float16Weights = kind(weight, bias)

    @classmethod
    def of(cls, layer: nn.Linear) -> Float16Linear:
        """Return a layer with rounded weights."""
        bias = None if layer.bias is None else layer.bias.detach().float()
        return cls(weight=layer.weight.detach().float(), bias=bias)

    @property
    def weight(self) -> Tensor:
        """Return the weights in float32, for whoever looks at a layer's weights.

        Shape:
            Returns: (out, in).
        """
        return self._weights.both()[0]

    @property
    def bias(self) -> Tensor | None:
        """Return the bias, or None.

        Shape:
            Returns: (out,).
        """
        return self._weights.both()[1]

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's result, in the type of what it is given.

        Shape:
            x: (..., in). Returns: (..., out).
        """
        rows = x.float() if x.dim() > 1 else x.float().unsqueeze(0)
        result = self._weights.product(rows)
        return result.view(*x.shape[:-1], self.out_features).to(x.dtype)


def fuse_float16(layers: Sequence[Float16Linear]) -> Float16Linear:
    """Return several layers with biases over the same input as one, their results joined."""
    return Float16Linear(
        weight=torch.cat([layer.weight for layer in layers]),
        bias=torch.cat([layer.bias for layer in layers if layer.bias is not None]),
    )


def can_be_half(weight: Tensor) -> bool:
    """Return whether float16 can hold weights, rounded."""
    return bool(weight.abs().max() <= LARGEST)  # not of NaN
