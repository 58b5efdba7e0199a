"""`MultiResolution`: judges magnitude spectrograms of a wave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.tensors.masks import (
    lengths_from_padding_mask,
    padding_mask_from_lengths,
    zero_padding,
)
from kokoro_plugins.adversarial.discriminator import ConvStack, Discriminator, Layer, Opinion

_EPSILON = 1e-9
"""Added to the squared magnitude, which keeps the gradient of its root finite."""


@final
class MultiResolution(Discriminator):
    """For each resolution convolutions over a magnitude spectrogram (Jang et al., 2021).

    Args:
        resolutions: Each the samples of the transform, from frame to frame, and of the window.
        channels: Of every layer.
    """

    def __init__(self, *, resolutions: Sequence[tuple[int, int, int]], channels: int = 32) -> None:
        super().__init__()
        self._resolutions = tuple(resolutions)
        layers = [
            Layer(channels, (9, 3)),
            *[Layer(channels, (9, 3), (2, 1))] * 3,
            Layer(channels, (3, 3)),
        ]
        self.stacks = nn.ModuleList(
            ConvStack(layers=layers, kernel=(3, 3), slope=0.2) for _ in resolutions
        )
        for number, (_, _, window) in enumerate(resolutions):
            self.register_buffer(f"window_{number}", torch.hann_window(window), persistent=False)

    def forward(self, x: Tensor, padding_mask: Tensor) -> list[Opinion]:
        """Return an opinion for each resolution.

        Shape:
            x: (B, S). padding_mask: (B, S) bool.
        """
        silent = zero_padding(x, padding_mask)
        lengths = lengths_from_padding_mask(padding_mask)
        opinions = []
        for number, stack in enumerate(self.stacks):
            hop = self._resolutions[number][1]
            frames = self._magnitudes(silent, number)
            mask = padding_mask_from_lengths(1 + lengths // hop, frames.shape[1])
            opinions.append(stack(zero_padding(frames, mask), mask))
        return opinions

    def _magnitudes(self, x: Tensor, number: int) -> Tensor:
        n_fft, hop, window = self._resolutions[number]
        transformed = torch.stft(
            x.float() if x.dtype in (torch.bfloat16, torch.float16) else x,
            n_fft,
            hop_length=hop,
            win_length=window,
            window=self.get_buffer(f"window_{number}"),
            pad_mode="constant",
            return_complex=True,
        )
        squared = transformed.real.square() + transformed.imag.square()
        # (B, F, T) -> (B, T, F)
        return (squared + _EPSILON).sqrt().transpose(1, 2)
