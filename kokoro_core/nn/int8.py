"""`Int8Linear`: a linear layer with weights of 8 bits, for speaking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.nn.joined import is_plain
from kokoro_core.nn.linear import Linear

MULTIPLE = 64
"""What the width of the input must be a multiple of, or torch's kernel reads past its end."""
FEWEST = 1 << 16
"""Weights below which a layer stays as it is: the ways in and out of a decoder are narrow, gain
little, and matter most."""


@final
class Int8Linear(nn.Module):
    """Weights rounded to 8 bits with a scale for each output; input and result are bfloat16.

    The weights are read as they are and multiplied as numbers of 32 bits, by torch's own kernel.

    Args:
        quantised: (out, in) int8.
        scale: (out,) bfloat16; a weight is its 8 bits times the scale of its output.
        bias: (out,) bfloat16, or None.

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
        self.register_buffer("quantised", quantised)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)

    @classmethod
    def of(cls, layer: nn.Linear) -> Int8Linear:
        """Return a layer with rounded weights: the largest of an output becomes 127."""
        weight = layer.weight.detach()
        # What is divided by is what will be multiplied with, rounded already.
        scale = (weight.abs().amax(1) / 127).to(torch.bfloat16)
        divisor = scale.masked_fill(scale == 0, 1).to(weight.dtype).unsqueeze(1)
        return cls(
            quantised=(weight / divisor).round().to(torch.int8),
            scale=scale,
            bias=None if layer.bias is None else layer.bias.detach().to(torch.bfloat16),
        )

    @property
    def weight(self) -> Tensor:
        """Return the weights in bfloat16, for whoever looks at a layer's weights.

        Shape:
            Returns: (out, in).
        """
        return self.quantised * self.scale.unsqueeze(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's result.

        Shape:
            x: (..., in). Returns: (..., out).
        """
        if x.device.type != "cpu" or x.dtype is not torch.bfloat16:
            bias = None if self.bias is None else self.bias.to(x.dtype)
            return F.linear(x, self.weight.to(x.dtype), bias)
        # (..., in) -> (rows, in) -> (..., out)
        rows = x.reshape(-1, self.in_features)
        result = torch._weight_int8pack_mm(rows, self.quantised, self.scale)
        result = result.view(*x.shape[:-1], self.out_features)
        return result if self.bias is None else result + self.bias


def joined_int8(layers: Sequence[Int8Linear]) -> Int8Linear:
    """Return several layers with biases over the same input as one, their results joined."""
    return Int8Linear(
        quantised=torch.cat([layer.quantised for layer in layers]),
        scale=torch.cat([layer.scale for layer in layers]),
        bias=torch.cat([layer.bias for layer in layers if layer.bias is not None]),
    )


def round_to_int8(module: nn.Module) -> None:
    """Put 8-bit weights in place of those of all large linear layers inside a module.

    Layers of a class of their own, with weights of a special kind, or of an odd width stay.
    """
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and _can_be_int8(child):
                parent.register_module(name, Int8Linear.of(child))


def _can_be_int8(layer: nn.Linear) -> bool:
    return (
        type(layer) in (nn.Linear, Linear)
        and is_plain(layer.weight)
        and layer.in_features % MULTIPLE == 0
        and layer.weight.numel() >= FEWEST
    )
