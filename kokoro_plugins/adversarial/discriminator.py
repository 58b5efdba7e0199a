"""`Discriminator`: what judges, and the convolutions that judges are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from kokoro_core.tensors.masks import lengths_from_padding_mask, padding_mask_from_lengths

Pair = tuple[int, int]


@dataclass(frozen=True)
class Map:
    """What a layer sees, (B, C, L, W) with L along the time, and where of L is padding.

    Attributes:
        values: 0 at padding.
        padding_mask: (B, L) bool, True = padding.
    """

    values: Tensor
    padding_mask: Tensor


@dataclass(frozen=True)
class Opinion:
    """What a discriminator thinks of its input.

    Attributes:
        scores: High for recordings; one channel.
        features: Of the layers before.
    """

    scores: Map
    features: tuple[Map, ...]


class Discriminator(nn.Module, ABC):
    """Judges recordings and what models make of them."""

    @abstractmethod
    def forward(self, x: Tensor, padding_mask: Tensor) -> list[Opinion]:
        """Return opinions; a row's do not depend on how far it is padded.

        Shape:
            x: (B, T, M) a normalised mel or (B, S) samples. padding_mask: (B, T) or (B, S) bool.
        """


@dataclass(frozen=True)
class Layer:
    """A convolution over time and what lies across it.

    Attributes:
        channels: Of its output.
        kernel: What it sees, odd, in time and across.
        stride: Steps of its output, likewise.
    """

    channels: int
    kernel: Pair
    stride: Pair = (1, 1)


@final
class ConvStack(nn.Module):
    """Convolutions with weight normalisation and leaky ReLU, and a last one that scores.

    Padding is 0 before every layer, so that a row's end looks the same alone and in a longer batch.

    Args:
        layers: Before the one that scores.
        kernel: What that sees, odd, in time and across.
        slope: Of the ReLU below 0.
    """

    def __init__(self, *, layers: Sequence[Layer], kernel: Pair, slope: float) -> None:
        super().__init__()
        self._slope = slope
        channels = [1, *(each.channels for each in layers)]
        self.layers = nn.ModuleList(
            _conv(width, layer) for width, layer in zip(channels, [*layers], strict=False)
        )
        self.score = _conv(channels[-1], Layer(1, kernel))

    def forward(self, x: Tensor, padding_mask: Tensor) -> Opinion:
        """Return the opinion.

        Shape:
            x: (B, L, W), 0 at padding. padding_mask: (B, L) bool.
        """
        # (B, L, W) -> (B, 1, L, W)
        now = Map(x.unsqueeze(1), padding_mask)
        features = []
        for layer in self.layers:
            seen = _convolved(layer, now)
            now = Map(F.leaky_relu(seen.values, self._slope), seen.padding_mask)
            features.append(now)
        return Opinion(_convolved(self.score, now), tuple(features))


def _conv(channels: int, layer: Layer) -> nn.Module:
    padding = (layer.kernel[0] // 2, layer.kernel[1] // 2)
    conv = nn.Conv2d(channels, layer.channels, layer.kernel, layer.stride, padding=padding)
    normalised: nn.Module = weight_norm(conv)
    return normalised


def _convolved(conv: nn.Module, seen: Map) -> Map:
    assert isinstance(conv, nn.Conv2d)
    values = conv(seen.values)
    # With an odd kernel and half of it at both ends a stride of s makes ceil(length / s) steps.
    lengths = -(-lengths_from_padding_mask(seen.padding_mask) // conv.stride[0])
    mask = padding_mask_from_lengths(lengths, values.shape[2])
    return Map(values.masked_fill(mask[:, None, :, None], 0), mask)
