"""`Int8Linear`: a linear layer with weights of 8 bits, for speaking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels import cpu

MULTIPLE = 64
"""What the width of the input must be a multiple of, or torch's kernel reads past its end."""

ALIGNED = 16
"""Numbers that torch's kernel reads at once, and at whose multiples each row must begin."""


@final
class Int8Linear(nn.Module):
    """Weights rounded to 8 bits with a scale for each output, multiplied by torch's own kernel.

    The kernel takes an input of bfloat16 and gives such a result; both are rounded here, and what
    is around the layer stays what it is. On other devices and on processors for which that kernel
    is written in no vector instructions the weights are widened for each product instead.

    Args:
        quantised: (out, in) int8.
        scale: (out,) bfloat16; a weight is its 8 bits times the scale of its output.
        bias: (out,), or None.

    Raises:
        ValueError: The width of the input is no multiple of 64.
    """

    quantised: Tensor
    scale: Tensor
    bias: Tensor | None

    def __init__(self, *, quantised: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = quantised.shape
        if self.in_features % MULTIPLE:
            raise ValueError(
                f"`Int8Linear` needs inputs whose width is a multiple of {MULTIPLE}, not "
                f"{self.in_features}; leave such a layer in bfloat16."
            )
        self._has_kernel = cpu.processor().int8_products
        self.register_buffer("quantised", quantised)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)

    @classmethod
    def of(cls, layer: nn.Linear) -> Int8Linear:
        """Return a layer with rounded weights: the largest of an output becomes 127."""
        # In fewer bits than 32 the largest could come out as 127.5, and 128 would wrap around.
        weight = layer.weight.detach().float()
        # What is divided by is what will be multiplied with, rounded already.
        scale = (weight.abs().amax(1) / 127).to(torch.bfloat16)
        divisor = scale.masked_fill(scale == 0, 1).float().unsqueeze(1)
        return cls(
            quantised=(weight / divisor).round().clamp(-127, 127).to(torch.int8),
            scale=scale,
            bias=None if layer.bias is None else layer.bias.detach().clone(),
        )

    @classmethod
    def fuse(cls, layers: Sequence[Int8Linear]) -> Int8Linear:
        """Return several layers with biases over the same input as one, their results joined."""
        return cls(
            quantised=torch.cat([layer.quantised for layer in layers]),
            scale=torch.cat([layer.scale for layer in layers]),
            bias=torch.cat([layer.bias for layer in layers if layer.bias is not None]),
        )

    @property
    def weight(self) -> Tensor:
        """Return the weights in float32, as what is around is, for whoever looks at them.

        Shape:
            Returns: (out, in).
        """
        return self.quantised * self.scale.float().unsqueeze(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's result.

        Shape:
            x: (..., in). Returns: (..., out).
        """
        if x.device.type != "cpu" or not self._has_kernel:
            result = F.linear(x, self.weight.to(x.dtype))
        else:
            # (..., in) -> (rows, in) -> (..., out)
            rows = _aligned(x.reshape(-1, self.in_features).to(torch.bfloat16))
            result = torch._weight_int8pack_mm(rows, self.quantised, self.scale)
            result = result.view(*x.shape[:-1], self.out_features)
        return (result if self.bias is None else result + self.bias).to(x.dtype)


def _aligned(rows: Tensor) -> Tensor:
    """Return rows that lie and begin where torch's kernel can read them; elsewhere it crashes.

    Shape:
        rows: (rows, in).
    """
    step, within = rows.stride()
    if within != 1 or step % ALIGNED or rows.storage_offset() % ALIGNED:
        rows = rows.clone(memory_format=torch.contiguous_format)
    return rows
