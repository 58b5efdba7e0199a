"""`WaveNet`: gated dilated convolutions that see both sides (van den Oord et al., 2016)."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels import Dropout
from kokoro_core.tensors.masks import zero_padding


@final
class NormedConv1d(nn.Module):
    """A convolution to which padding is silence, its weight a direction and a length a channel.

    Salimans and Kingma, 2016: weight normalisation.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Steps that it sees, odd.
        dilation: Steps between two of them.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, dilation: int = 1
    ) -> None:
        super().__init__()
        made = nn.Conv1d(in_channels, out_channels, kernel_size)
        self.direction, self.bias = made.weight, made.bias
        self.length = nn.Parameter(_length(made.weight.detach()))
        self._dilation = dilation

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Convolve.

        Shape:
            x: (B, T, C). padding_mask: (B, T) bool. Returns: (B, T, C').
        """
        weight = self.direction * (self.length / _length(self.direction))
        # (B, T, C) -> (B, C, T) -> (B, T, C')
        silent = zero_padding(x, padding_mask).transpose(1, 2)
        padding = self._dilation * (weight.shape[2] // 2)
        convolved = F.conv1d(silent, weight, self.bias, padding=padding, dilation=self._dilation)
        return convolved.transpose(1, 2)


def _length(direction: Tensor) -> Tensor:
    """Return the length of each output channel's weights; (C', C, K) -> (C', 1, 1)."""
    return direction.square().sum((1, 2), keepdim=True).sqrt()


@final
class WaveNet(nn.Module):
    """Layers that each add to their input and to the result.

    Args:
        width: Channels.
        kernel_size: Steps that each convolution sees, odd.
        num_layers: Layers.
        dilation: What the dilation is multiplied by from layer to layer.
        dropout: Probability of dropout after each gate.
    """

    def __init__(
        self, *, width: int, kernel_size: int, num_layers: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.gated = nn.ModuleList(
            NormedConv1d(width, 2 * width, kernel_size, dilation=dilation**layer)
            for layer in range(num_layers)
        )
        # The last layer has no next one whose input it could add to.
        self.out = nn.ModuleList(
            NormedConv1d(width, width if layer == num_layers - 1 else 2 * width, 1)
            for layer in range(num_layers)
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, W) of x (B, T, W)."""
        result = torch.zeros_like(x)
        for gated, out in zip(self.gated, self.out, strict=True):
            level, gate = gated(x, padding_mask).chunk(2, 2)
            made = out(self.dropout(level.tanh() * gate.sigmoid()), padding_mask)
            *kept, skipped = made.split(x.shape[2], 2)
            x = x + kept[0] if kept else x
            result = result + skipped
        return zero_padding(result, padding_mask)
