"""`Vocos`: mels to waves, frame by frame up to the inverse STFT."""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kokoro_core.contracts import NeuralVocoder
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.vocos.spectra import InverseSpectrogram

_SPREAD = 0.02
"""Standard deviation of the weights at the start."""


@final
class Block(nn.Module):
    """A ConvNeXt block (Liu et al., 2022): a depthwise convolution, then two layers a frame.

    Args:
        channels: Of its input and its output.
        inner: Between the two layers.
        kernel_size: Frames that the convolution sees.
        scale: What the output is multiplied by at the start, before it is added to the input.
    """

    def __init__(self, *, channels: int, inner: int, kernel_size: int, scale: float) -> None:
        super().__init__()
        padding = kernel_size // 2
        self.conv = nn.Conv1d(channels, channels, kernel_size, padding=padding, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.widen, self.narrow = nn.Linear(channels, inner), nn.Linear(inner, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, C) of x (B, T, C)."""
        # (B, T, C) -> (B, C, T) -> (B, T, C)
        seen = self.conv(x.transpose(1, 2)).transpose(1, 2)
        inner: Tensor = self.narrow(F.gelu(self.widen(self.norm(seen))))
        return x + self.scale * inner


@final
class Vocos(NeuralVocoder):
    """Vocos (Siuzdak, 2023): ConvNeXt blocks give each frame's magnitudes and phases.

    Args:
        audio: The settings of the mels.
        channels: Between the blocks.
        expansion: How many times as many there are inside of a block.
        num_layers: Blocks.
        kernel_size: Frames that each convolution sees, odd.
        n_fft: Samples of a frame of the inverse STFT.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        *,
        audio: AudioSettings,
        channels: int,
        expansion: int,
        num_layers: int,
        kernel_size: int,
        n_fft: int,
    ) -> None:
        super().__init__()
        self.audio = audio
        self._reach = kernel_size // 2 * (num_layers + 1)
        self._loudest = math.log(n_fft / 2)
        self.embed = nn.Conv1d(audio.n_mels, channels, kernel_size, padding=kernel_size // 2)
        self.first_norm = nn.LayerNorm(channels, eps=1e-6)
        self.blocks = nn.Sequential(
            *(
                Block(
                    channels=channels,
                    inner=expansion * channels,
                    kernel_size=kernel_size,
                    scale=1 / num_layers,
                )
                for _ in range(num_layers)
            )
        )
        self.last_norm = nn.LayerNorm(channels, eps=1e-6)
        self.head = nn.Linear(channels, 2 * (n_fft // 2 + 1))
        self.inverse = InverseSpectrogram(n_fft=n_fft, hop_length=audio.hop_length)
        self.register_buffer("mean", torch.full((audio.n_mels,), audio.mean))
        self.register_buffer("scale", torch.full((audio.n_mels,), audio.std))
        self.apply(_draw)

    @property
    def receptive_field(self) -> int:
        """How many frames on either side of its own a sample depends on, at most."""
        return self._reach + self.inverse.reach

    @torch.no_grad()
    def fit_mels(self, mean: Tensor, deviation: Tensor) -> None:
        """Normalise mels by these means and standard deviations from now on."""
        self.mean.copy_(mean)
        self.scale.copy_(deviation)

    def forward(self, mel: Tensor) -> Tensor:
        """Return the waves of whole rows.

        Samples beyond [-1, 1], which no sound device plays, are cut off.

        Shape:
            mel: (B, T, M). Returns: (B, T * hop_length) in [-1, 1].
        """
        normal = (mel - self.mean) / self.scale
        # (B, T, M) -> (B, M, T) -> (B, T, C)
        x = self.first_norm(self.embed(normal.transpose(1, 2)).transpose(1, 2))
        wave: Tensor = self.inverse(self.spectra(self.last_norm(self.blocks(x))))
        return wave.clamp(-1, 1)

    def spectra(self, x: Tensor) -> Tensor:
        """Return the spectra, (B, T, n_fft / 2 + 1) complex, of what the blocks made, (B, T, C).

        No frame of a wave within [-1, 1] has a larger magnitude than its window's sum.
        """
        made = self.head(x)
        # The Fourier transform has no half precision.
        made = made.float() if made.dtype in (torch.bfloat16, torch.float16) else made
        log_magnitude, phase = made.chunk(2, dim=-1)
        magnitude = log_magnitude.clamp(max=self._loudest).exp()
        # `torch.polar` computes one number after the other on a CPU.
        return torch.complex(magnitude * phase.cos(), magnitude * phase.sin())


def _draw(module: nn.Module) -> None:
    if isinstance(module, nn.Conv1d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=_SPREAD)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
