"""The Conformer's layers (Gulati et al., 2020) as ESPnet has them, with its names."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.nn.batch_norm import MaskedBatchNorm
from kokoro_core.nn.conv import MaskedConv1d
from kokoro_core.tensors.masks import zero_padding


class RelativeAttention(nn.Module):
    """Self-attention that knows distances (Dai et al., 2019, section 3.3)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q, self.linear_k, self.linear_v, self.linear_out = (
            nn.Linear(width, width) for _ in range(4)
        )
        self.linear_pos = nn.Linear(width, width, bias=False)
        self.pos_bias_u, self.pos_bias_v = (
            nn.Parameter(nn.init.xavier_uniform_(torch.empty(heads, width // heads)))
            for _ in range(2)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor, distances: Tensor) -> Tensor:
        """Return (B, T, H) of x (B, T, H) and distances (2T - 1, H)."""
        query, key, value = (
            self._split(layer(x)) for layer in (self.linear_q, self.linear_k, self.linear_v)
        )
        # (2T - 1, H) -> (1, heads, H/heads, 2T - 1)
        places = self._split(self.linear_pos(distances).unsqueeze(0)).transpose(2, 3)
        by_content = (query + self.pos_bias_u.unsqueeze(1)) @ key.transpose(2, 3)
        by_distance = _of_keys((query + self.pos_bias_v.unsqueeze(1)) @ places)
        scores = (by_content + by_distance) / math.sqrt(query.shape[3])
        hidden = padding_mask[:, None, None]
        scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
        weights = self.dropout(scores.softmax(3).masked_fill(hidden, 0.0))
        # (B, heads, T, H/heads) -> (B, T, H)
        result: Tensor = self.linear_out((weights @ value).transpose(1, 2).flatten(2))
        return result

    def _split(self, x: Tensor) -> Tensor:
        # (B, T, H) -> (B, heads, T, H/heads)
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


def _of_keys(scores: Tensor) -> Tensor:
    """Return the score of each key, (…, T, T), of those of each distance, (…, T, 2T - 1)."""
    steps = torch.arange(scores.shape[2], device=scores.device)
    index = steps.shape[0] - 1 - steps.unsqueeze(1) + steps
    return scores.gather(3, index.expand(*scores.shape[:3], -1))


def distances(steps: int, like: Tensor) -> Tensor:
    """Return sines and cosines, by turns, of the distances T - 1 to 1 - T: (2T - 1, H)."""
    width = like.shape[-1]
    places = torch.arange(steps - 1, -steps, -1, device=like.device, dtype=torch.float64)
    channels = torch.arange(0, width, 2, device=like.device, dtype=torch.float64)
    angles = places.unsqueeze(1) * torch.exp(channels * (-math.log(10000.0) / width))
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1).to(like.dtype)


class FeedForward(nn.Module):
    """Two convolutions with ReLU and dropout between."""

    def __init__(self, width: int, inner: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = MaskedConv1d(width, inner, kernel_size)
        self.conv2 = MaskedConv1d(inner, width, kernel_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, H) of x (B, T, H)."""
        inner = self.dropout(self.conv1(x, padding_mask).relu())
        result: Tensor = self.conv2(inner, padding_mask)
        return result


class ConvModule(nn.Module):
    """A gated pointwise convolution, a depthwise one with batch normalisation, a pointwise one."""

    def __init__(self, width: int, kernel_size: int) -> None:
        super().__init__()
        self.pointwise_conv1 = MaskedConv1d(width, 2 * width, 1)
        self.depthwise_conv = MaskedConv1d(width, width, kernel_size, groups=width)
        self.norm = MaskedBatchNorm(width)
        self.pointwise_conv2 = MaskedConv1d(width, width, 1)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, H) of x (B, T, H)."""
        x = F.glu(self.pointwise_conv1(x, padding_mask), dim=2)
        x = F.silu(self.norm(self.depthwise_conv(x, padding_mask), padding_mask))
        result: Tensor = self.pointwise_conv2(x, padding_mask)
        return result


class Layer(nn.Module):
    """Half a feed-forward block, attention, convolutions, half a block; each with a norm behind."""

    def __init__(
        self, width: int, heads: int, inner: int, inner_kernel: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        self.feed_forward_macaron = FeedForward(width, inner, inner_kernel, dropout)
        self.self_attn = RelativeAttention(width, heads, dropout)
        self.conv_module = ConvModule(width, kernel)
        self.feed_forward = FeedForward(width, inner, inner_kernel, dropout)
        self.ff_macaron_layer_norm = nn.LayerNorm(width)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.conv_layer_norm = nn.LayerNorm(width)
        self.ff_layer_norm = nn.LayerNorm(width)
        self.final_layer_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor, distances: Tensor) -> Tensor:
        """Return (B, T, H) of x (B, T, H), 0 at padding."""
        half = 0.5 * self.feed_forward_macaron(x, padding_mask)
        x = self.ff_macaron_layer_norm(x + self.dropout(half))
        attended = self.self_attn(x, padding_mask, distances)
        x = self.self_attn_layer_norm(x + self.dropout(attended))
        x = self.conv_layer_norm(x + self.dropout(self.conv_module(x, padding_mask)))
        half = 0.5 * self.feed_forward(x, padding_mask)
        x = self.ff_layer_norm(x + self.dropout(half))
        return zero_padding(self.final_layer_norm(x), padding_mask)


class Conformer(nn.Module):
    """The layers, and what enters them."""

    def __init__(self, width: int, num_layers: int, dropout: float, **layer: int) -> None:
        super().__init__()
        self.conformer_layers = nn.ModuleList(
            Layer(width, dropout=dropout, **layer) for _ in range(num_layers)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return (B, T, H) of x (B, T, H), 0 at padding."""
        places = self.dropout(distances(x.shape[1], x))
        x = self.dropout(x * math.sqrt(x.shape[2]))
        for layer in self.conformer_layers:
            x = layer(x, padding_mask, places)
        return x
