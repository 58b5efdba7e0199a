"""Flows over two numbers a phoneme, which the stochastic duration predictor is made of."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels import Dropout
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import zero_padding
from kokoro_plugins.vits.spline import Spline


@final
class DilatedConvs(nn.Module):
    """Depthwise convolutions that see farther from layer to layer, a pointwise one after each.

    Args:
        width: Channels.
        kernel_size: Steps that each depthwise convolution sees, odd; also what its dilation is
            multiplied by from layer to layer.
        num_layers: Layers.
        dropout: Probability of dropout after each layer.
    """

    def __init__(self, *, width: int, kernel_size: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(
            MaskedConv1d(width, width, kernel_size, dilation=kernel_size**layer, groups=width)
            for layer in range(num_layers)
        )
        self.pointwise = nn.ModuleList(nn.Linear(width, width) for _ in range(num_layers))
        self.depthwise_norms, self.pointwise_norms = (
            nn.ModuleList(nn.LayerNorm(width) for _ in range(num_layers)) for _ in range(2)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, N, W) of x (B, N, W)."""
        layers = zip(
            *(self.depthwise, self.depthwise_norms, self.pointwise, self.pointwise_norms),
            strict=True,
        )
        for depthwise, depthwise_norm, pointwise, pointwise_norm in layers:
            inner = F.gelu(depthwise_norm(depthwise(x, padding_mask)))
            x = x + self.dropout(F.gelu(pointwise_norm(pointwise(inner))))
        return zero_padding(x, padding_mask)


@final
class Affine(nn.Module):
    """Scales and shifts each of the two numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(2))
        self.log_scale = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor, padding_mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return what x becomes, and the log-determinant of each row.

        Shape:
            x: (B, N, 2). condition: (B, N, W). Returns: (B, N, 2) and (B,).
        """
        scaled = zero_padding(self.shift + self.log_scale.exp() * x, padding_mask)
        return scaled, self.log_scale.sum() * (~padding_mask).sum(1)

    def inverse(self, z: Tensor, padding_mask: Tensor, condition: Tensor) -> Tensor:
        """Return the x that becomes z."""
        return zero_padding((z - self.shift) * (-self.log_scale).exp(), padding_mask)


@final
class SplineCoupling(nn.Module):
    """Bends the second number by a spline whose form follows from the first and a condition.

    Args:
        width: Channels of the convolutions and of the condition.
        kernel_size: Phonemes that each convolution sees, odd.
        num_layers: Layers of convolutions.
        bins: Bins of the splines.
        bound: The end of the interval in which they bend.
    """

    def __init__(
        self, *, width: int, kernel_size: int, num_layers: int, bins: int, bound: float
    ) -> None:
        super().__init__()
        self._bins = bins
        self._bound = bound
        self.first = nn.Linear(1, width)
        self.convs = DilatedConvs(
            width=width, kernel_size=kernel_size, num_layers=num_layers, dropout=0.0
        )
        self.out = nn.Linear(width, 3 * bins - 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, padding_mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return what x becomes, and the log-determinant of each row; shapes as `Affine` has them.

        At first nothing bends but by the slopes of equal bins.
        """
        first, second = x.chunk(2, 2)
        bent, log_slope = self._spline(first, padding_mask, condition).forward(_wide(second))
        joined = zero_padding(torch.cat([first, bent.to(x.dtype)], 2), padding_mask)
        return joined, zero_padding(log_slope.to(x.dtype), padding_mask).sum((1, 2))

    def inverse(self, z: Tensor, padding_mask: Tensor, condition: Tensor) -> Tensor:
        """Return the x that becomes z."""
        first, bent = z.chunk(2, 2)
        second = self._spline(first, padding_mask, condition).inverse(_wide(bent))
        return zero_padding(torch.cat([first, second.to(z.dtype)], 2), padding_mask)

    def _spline(self, first: Tensor, padding_mask: Tensor, condition: Tensor) -> Spline:
        inner = self.convs(self.first(first) + condition, padding_mask)
        settings = zero_padding(self.out(inner), padding_mask)
        sizes, slopes = settings.tensor_split([2 * self._bins], 2)
        # Sizes of bins are divided so that their softmax begins flat.
        settings = torch.cat([sizes / math.sqrt(inner.shape[2]), slopes], 2)
        # (B, N, 3K - 1) -> (B, N, 1, 3K - 1)
        return Spline.of(_wide(settings).unsqueeze(2), bins=self._bins, bound=self._bound)


def _wide(x: Tensor) -> Tensor:
    """Return x in float32 at least: with fewer bits narrow bins have no width."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
