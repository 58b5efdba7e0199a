"""`Float16Linear`: a linear layer with weights of 16 bits and float32 around them, for speaking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels import cpu

LARGEST = 65504.0
"""The largest number of float16; torch's kernel would cut larger weights to it."""


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
        if not fits_float16(weight):
            raise ValueError(
                f"`Float16Linear` needs weights of at most {LARGEST:.0f}, not "
                f"{float(weight.abs().max())}; leave such a layer in float32."
            )
        self.out_features, self.in_features = weight.shape
        # As FBGEMM packs them, whose kernel widens them while it multiplies, or as they are.
        self._packed = self._plain = None
        if cpu.has_float16_kernel():
            self._packed = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), bias)
        else:
            self._plain = weight.half(), bias

    @classmethod
    def of(cls, layer: nn.Linear) -> Float16Linear:
        """Return a layer with rounded weights."""
        bias = None if layer.bias is None else layer.bias.detach().float()
        return cls(weight=layer.weight.detach().float(), bias=bias)

    @classmethod
    def fuse(cls, layers: Sequence[Float16Linear]) -> Float16Linear:
        """Return several layers with biases over the same input as one, their results joined."""
        return cls(
            weight=torch.cat([layer.weight for layer in layers]),
            bias=torch.cat([layer.bias for layer in layers if layer.bias is not None]),
        )

    def _widened(self) -> tuple[Tensor, Tensor | None]:
        if self._plain is not None:
            return self._plain[0].float(), self._plain[1]
        widened: tuple[Tensor, Tensor | None] = torch.ops.quantized.linear_unpack_fp16(self._packed)
        return widened

    @property
    def weight(self) -> Tensor:
        """Return the weights in float32, for whoever looks at a layer's weights.

        Shape:
            Returns: (out, in).
        """
        return self._widened()[0]

    @property
    def bias(self) -> Tensor | None:
        """Return the bias, or None.

        Shape:
            Returns: (out,).
        """
        return self._widened()[1]

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's result, in the type of what it is given.

        Shape:
            x: (..., in). Returns: (..., out).
        """
        rows = x.float() if x.dim() > 1 else x.float().unsqueeze(0)
        if self._packed is None:
            result = F.linear(rows, *self._widened())
        else:
            result = torch.ops.quantized.linear_dynamic_fp16.default(rows, self._packed)
        return result.view(*x.shape[:-1], self.out_features).to(x.dtype)


def fits_float16(weight: Tensor) -> bool:
    """Return whether float16 can hold weights, rounded."""
    return bool(weight.abs().max() <= LARGEST)  # not of NaN
