"""The blocks of the U-Net: convolutions that know the time, and a transformer's with snakes."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels import Dropout, attention
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import attend_mask, zero_padding

GROUPS = 8
"""Groups of channels that are normalised together."""

TIME_SCALE = 1000.0
"""What a time from 0 to 1 is multiplied by before its sinusoids are taken."""

MAX_PERIOD = 10_000.0
"""Ratio of the longest period of these sinusoids to the shortest."""


@final
class TimeEmbedding(nn.Module):
    """Sinusoids of a time and two linear layers.

    Args:
        frequencies: Channels of the sinusoids, even and at least 4.
        width: Channels of the embedding.
    """

    def __init__(self, *, frequencies: int, width: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.first = nn.Linear(frequencies, width)
        self.second = nn.Linear(width, width)

    def forward(self, times: Tensor) -> Tensor:
        """Return (B, 1, width) of times (B, 1, 1) from 0 to 1."""
        half = self.frequencies // 2
        exact = torch.promote_types(times.dtype, torch.float32)
        steps = torch.arange(half, device=times.device, dtype=exact)
        rates = TIME_SCALE * torch.exp(-math.log(MAX_PERIOD) / (half - 1) * steps)
        angles = times.to(exact) * rates
        sinusoids = torch.cat([angles.sin(), angles.cos()], dim=2).to(times.dtype)
        result: Tensor = self.second(F.silu(self.first(sinusoids)))
        return result


@final
class MaskedGroupNorm(nn.Module):
    """Group normalisation (Wu and He, 2018) over the valid steps of each row.

    Args:
        num_channels: Channels, divided into `GROUPS`.
        eps: Added to the variance.
    """

    def __init__(self, num_channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, C) of x (B, T, C), not masked."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        # (B, T, C) -> (B, T, groups, C/groups)
        wide = zero_padding(wide, padding_mask).view(*x.shape[:2], GROUPS, -1)
        hidden = padding_mask[:, :, None, None]
        count = (~hidden).sum(1, keepdim=True).clamp_min(1) * wide.shape[3]
        centred = wide - wide.sum((1, 3), keepdim=True) / count
        var = centred.masked_fill(hidden, 0).square().sum((1, 3), keepdim=True) / count
        # (B, T, groups, C/groups) -> (B, T, C)
        normal = (centred * torch.rsqrt(var + self.eps)).flatten(2)
        result: Tensor = normal * self.weight + self.bias
        return result.to(x.dtype)


@final
class ConvBlock(nn.Module):
    """A convolution, group normalisation and Mish (Misra, 2019)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = MaskedConv1d(in_channels, out_channels, 3)
        self.norm = MaskedGroupNorm(out_channels)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, C') of x (B, T, C)."""
        return F.mish(self.norm(self.conv(x, padding_mask), padding_mask))


@final
class ResnetBlock(nn.Module):
    """Two `ConvBlock` with the time added between, and a linear layer around them."""

    def __init__(self, in_channels: int, out_channels: int, time_dim: int) -> None:
        super().__init__()
        self.time = nn.Linear(time_dim, out_channels)
        self.first = ConvBlock(in_channels, out_channels)
        self.second = ConvBlock(out_channels, out_channels)
        self.around = nn.Linear(in_channels, out_channels)

    def forward(self, x: Tensor, padding_mask: Tensor, time: Tensor) -> Tensor:
        """Return (B, T, C') of x (B, T, C); time is (B, 1, time_dim)."""
        inner = self.first(x, padding_mask) + self.time(F.mish(time))
        result: Tensor = self.second(inner, padding_mask) + self.around(x)
        return zero_padding(result, padding_mask)


@final
class SnakeBeta(nn.Module):
    """A linear layer and x + sin²(x · e^α) / e^β (Snake; Ziyin et al., 2020; BigVGAN)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels)
        self.alpha = nn.Parameter(torch.zeros(out_channels))
        self.beta = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., C') of x (..., C)."""
        x = self.linear(x)
        result: Tensor = x + torch.sin(x * self.alpha.exp()).square() / (self.beta.exp() + 1e-9)
        return result


@final
class SelfAttention(nn.Module):
    """Attention between the frames of a row, without positions or biases within.

    Args:
        channels: Width of input and output.
        num_heads: Heads.
        head_dim: Channels of each head.
        dropout: Of the result.
    """

    def __init__(self, *, channels: int, num_heads: int, head_dim: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query, self.key, self.value = (
            nn.Linear(channels, num_heads * head_dim, bias=False) for _ in range(3)
        )
        self.out = nn.Linear(num_heads * head_dim, channels)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, C) of x (B, T, C)."""
        # (B, T, heads · D) -> (B, heads, T, D)
        query, key, value = (
            layer(x).view(*x.shape[:2], self.num_heads, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        attended, _ = attention(query, key, value, attend_mask(padding_mask))
        # (B, heads, T, D) -> (B, T, heads · D)
        result: Tensor = self.dropout(self.out(attended.transpose(1, 2).flatten(2)))
        return result


@final
class TransformerBlock(nn.Module):
    """Self-attention and a feed-forward block with `SnakeBeta`, each after a LayerNorm.

    Args:
        channels: Width; the feed-forward block is four times as wide.
        num_heads: Attention heads.
        head_dim: Channels of each head.
        dropout: Of the attention's result and within the feed-forward block.
    """

    def __init__(self, *, channels: int, num_heads: int, head_dim: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels)
        self.attention = SelfAttention(
            channels=channels, num_heads=num_heads, head_dim=head_dim, dropout=dropout
        )
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.snake = SnakeBeta(channels, 4 * channels)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, C) of x (B, T, C)."""
        x = x + self.attention(self.attention_norm(x), padding_mask)
        result: Tensor = x + self.out(self.dropout(self.snake(self.feed_forward_norm(x))))
        return result
