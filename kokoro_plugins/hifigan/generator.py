"""`Generator`: mels to waves by transposed convolutions and residual blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LAST_SLOPE = 0.01


@final
class ResidualBlock(nn.Module):
    """Pairs of convolutions, the first of each dilated, each pair added to its input.

    Args:
        channels: Channels.
        kernel_size: Samples that each convolution sees, odd.
        dilations: The dilation of the first convolution of each pair.
        slope: Of the leaky ReLU before each convolution.
    """

    def __init__(
        self, *, channels: int, kernel_size: int, dilations: Sequence[int], slope: float
    ) -> None:
        super().__init__()
        self._slope = slope

        def conv(dilation: int) -> nn.Conv1d:
            padding = (kernel_size - 1) * dilation // 2
            return nn.Conv1d(channels, channels, kernel_size, dilation=dilation, padding=padding)

        self.convs1 = nn.ModuleList(conv(each) for each in dilations)
        self.convs2 = nn.ModuleList(conv(1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, T) of x (B, C, T)."""
        for first, second in zip(self.convs1, self.convs2, strict=True):
            inner = first(F.leaky_relu(x, self._slope))
            x = x + second(F.leaky_relu(inner, self._slope))
        return x


@final
class Generator(nn.Module):
    """HiFi-GAN's generator (Kong et al., 2020), its tensors named as in transformers.

    Args:
        mel_dim: Mel channels.
        channels: Channels before the first transposed convolution, each of which halves them.
        rates: How many samples each transposed convolution makes of one.
        rate_kernel_sizes: Their kernels; each exceeds its rate by an even number.
        kernel_sizes: Kernels of the residual blocks, whose mean follows each of them.
        dilations: The dilations of each residual block.
        slope: Of the leaky ReLUs.
        normalises: Whether the mel is normalised by the buffers `mean` and `scale` first.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        *,
        mel_dim: int = 80,
        channels: int = 512,
        rates: Sequence[int] = (8, 8, 2, 2),
        rate_kernel_sizes: Sequence[int] = (16, 16, 4, 4),
        kernel_sizes: Sequence[int] = (3, 7, 11),
        dilations: Sequence[Sequence[int]] = ((1, 3, 5),) * 3,
        slope: float = 0.1,
        normalises: bool = True,
    ) -> None:
        super().__init__()
        self.hop_length = math.prod(rates)
        self._slope, self._normalises = slope, normalises
        self._blocks = len(kernel_sizes)
        self.conv_pre = nn.Conv1d(mel_dim, channels, 7, padding=3)
        self.upsampler, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(rates, rate_kernel_sizes, strict=True):
            padding = (kernel - rate) // 2
            self.upsampler.append(
                nn.ConvTranspose1d(channels, channels // 2, kernel, stride=rate, padding=padding)
            )
            channels //= 2
            self.resblocks.extend(
                ResidualBlock(channels=channels, kernel_size=size, dilations=each, slope=slope)
                for size, each in zip(kernel_sizes, dilations, strict=True)
            )
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3)
        self.register_buffer("mean", torch.zeros(mel_dim))
        self.register_buffer("scale", torch.ones(mel_dim))
        self.receptive_field = _reach(rates, rate_kernel_sizes, kernel_sizes, dilations)

    def forward(self, mel: Tensor) -> Tensor:
        """Return the waves, (B, T * hop_length), of whole rows of mels, (B, T, M)."""
        if self._normalises:
            mel = (mel - self.mean) / self.scale
        # (B, T, M) -> (B, M, T)
        x = self.conv_pre(mel.transpose(1, 2))
        for index, upsample in enumerate(self.upsampler):
            x = upsample(F.leaky_relu(x, self._slope))
            first = index * self._blocks
            blocks = [self.resblocks[first + each] for each in range(self._blocks)]
            x = torch.stack([block(x) for block in blocks]).mean(0)
        wave: Tensor = self.conv_post(F.leaky_relu(x, _LAST_SLOPE))
        # (B, 1, T * hop) -> (B, T * hop)
        return wave.tanh().squeeze(1)


def _reach(
    rates: Sequence[int],
    rate_kernel_sizes: Sequence[int],
    kernel_sizes: Sequence[int],
    dilations: Sequence[Sequence[int]],
) -> int:
    """Return how many frames on either side of its own a sample depends on, at most."""
    frames, factor = Fraction(3), 1
    for rate, kernel in zip(rates, rate_kernel_sizes, strict=True):
        frames += Fraction(math.ceil(kernel / rate), factor)
        factor *= rate
        blocks = zip(kernel_sizes, dilations, strict=True)
        steps = max((size - 1) // 2 * sum(each + 1 for each in of) for size, of in blocks)
        frames += Fraction(steps, factor)
    return math.ceil(frames + Fraction(3, factor))
