"""`InverseSpectrogram`: frames of complex spectra to a wave of as many hops."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@final
class InverseSpectrogram(nn.Module):
    """The inverse STFT with a Hann window whose frame t has its middle in the t-th hop.

    The wave of T frames has T hops: what frames reach beyond both ends is cut off, as the mel's
    padding ``same`` adds it.

    Args:
        n_fft: Samples of a frame, at least two hops, more than one by an even number.
        hop_length: From one frame to the next.

    Attributes:
        reach: How many frames on either side of its own a sample is added up from, at most.
    """

    window: Tensor

    def __init__(self, *, n_fft: int, hop_length: int) -> None:
        super().__init__()
        self._n_fft, self._hop = n_fft, hop_length
        self.reach = (hop_length - 1 + (n_fft - hop_length) // 2) // hop_length
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, spectra: Tensor) -> Tensor:
        """Return the waves, (B, T * hop_length), of spectra, (B, T, n_fft / 2 + 1) complex."""
        frames = torch.fft.irfft(spectra, self._n_fft) * self.window
        weights = self.window.square().expand(1, frames.shape[1], -1)
        return self._added(frames) / self._added(weights)

    def _added(self, frames: Tensor) -> Tensor:
        """Return the sum of overlapping frames, (B, T, n_fft), without both ends."""
        hop, count = self._hop, frames.shape[1]
        hops = -(-self._n_fft // hop)
        # (B, T, n_fft) -> (B, T, hops, hop)
        whole = F.pad(frames, (0, hops * hop - self._n_fft))
        parts = whole.view(len(whole), count, hops, hop)
        # Part j of frame t lies in hop t + j.
        total = sum(F.pad(parts[:, :, j], (0, 0, j, hops - 1 - j)) for j in range(hops))
        assert isinstance(total, Tensor)
        cut = (self._n_fft - hop) // 2
        # (B, T + hops - 1, hop) -> (B, T * hop)
        return total.flatten(1)[:, cut : cut + count * hop]
