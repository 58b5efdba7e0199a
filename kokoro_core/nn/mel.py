"""Log mel spectrograms, as `AudioSettings` defines them."""

from __future__ import annotations

import math
import warnings
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kokoro_core.params.audio import AudioSettings

_EPSILON = 1e-9
"""HiFi-GAN adds it to the squared magnitude, which keeps the gradient of the root finite."""

_SLANEY_HZ = 200 / 3
"""A mel of Slaney's scale up to 1,000 Hz, which is 15 mel; above, the scale is logarithmic."""

_SLANEY_STEP = math.log(6.4) / 27
"""Natural logarithm of the ratio of two frequencies that are one mel apart above 1,000 Hz."""


def hops_of(samples: Tensor, hop_length: int, frames: int) -> Tensor:
    """Return the samples of each frame, as a vocoder makes them: frame t has the t-th hop.

    Shape:
        samples: (S,). Returns: (frames, hop_length), 0 behind the last sample.
    """
    whole = samples.new_zeros(frames * hop_length)
    kept = samples[: len(whole)]
    whole[: len(kept)] = kept
    # (T * hop,) -> (T, hop)
    return whole.view(frames, hop_length)


@final
class MelSpectrogram(nn.Module):
    """Turns samples into a log mel spectrogram, not normalised.

    With the default settings it is HiFi-GAN's (Kong et al., 2020, ``meldataset.py``): magnitude
    ``sqrt(re² + im² + 1e-9)``, Slaney's filters, natural logarithm with a floor.

    Args:
        audio: Every setting.

    Raises:
        ValueError: The hop is longer than the window, so that samples between frames would be lost.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, *, audio: AudioSettings) -> None:
        super().__init__()
        if audio.hop_length > audio.n_fft:
            raise ValueError(
                f"`hop_length` must be at most n_fft = {audio.n_fft}, not {audio.hop_length}; "
                f"a quarter of it is usual."
            )
        self.audio = audio
        self.register_buffer("window", torch.hann_window(audio.win_length), persistent=False)
        self.register_buffer("filters", mel_filters(audio).to(self.window.dtype), persistent=False)

    def num_frames(self, num_samples: int) -> int:
        """Return the frames of a recording.

        Raises:
            ValueError: It is too short to be reflected at its ends or to give a frame.
        """
        left, right = paddings(self.audio)
        least = max(left + 1, right + 1, self.audio.n_fft - left - right)
        if num_samples < least:
            raise ValueError(
                f"`samples` must be at least {least} long with these audio settings (padding "
                f"`{self.audio.padding}`), not {num_samples}."
            )
        return 1 + (num_samples + left + right - self.audio.n_fft) // self.audio.hop_length

    def forward(self, samples: Tensor) -> Tensor:
        """Return the log mel.

        Shape:
            samples: (S,) or (B, S) float in [-1, 1]. Returns: (T, M) or (B, T, M).

        Raises:
            ValueError: `samples` has another shape, or is too short.
        """
        if samples.dim() not in (1, 2):
            raise ValueError(f"`samples` must be (S,) or (B, S), not {tuple(samples.shape)}.")
        self.num_frames(samples.shape[-1])
        batch = samples if samples.dim() == 2 else samples.unsqueeze(0)
        # (B, S) -> (B, F, T) -> (B, M, T) -> (B, T, M)
        mel = self._log(torch.matmul(self.filters, self._spectrum(batch))).transpose(1, 2)
        return mel if samples.dim() == 2 else mel.squeeze(0)

    def energy(self, samples: Tensor) -> Tensor:
        """Return the L2 norm of the magnitudes of each frame (FastSpeech 2, Ren et al., 2021).

        Shape:
            samples: (S,) float in [-1, 1]. Returns: (T,).
        """
        squared = self._spectrum(samples.unsqueeze(0)).pow(2 / self.audio.power)
        return squared.sum(1).sqrt().squeeze(0)

    def _spectrum(self, samples: Tensor) -> Tensor:
        """Return the magnitude to the power that the settings ask for: (B, S) -> (B, F, T)."""
        padded = F.pad(samples.unsqueeze(1), paddings(self.audio), mode="reflect").squeeze(1)
        spectrum = torch.stft(
            padded,
            self.audio.n_fft,
            hop_length=self.audio.hop_length,
            win_length=self.audio.win_length,
            window=self.window,
            center=False,
            return_complex=True,
        )
        squared = spectrum.real.square() + spectrum.imag.square() + _EPSILON
        return squared.pow(self.audio.power / 2)

    def _log(self, mel: Tensor) -> Tensor:
        floor = self.audio.floor
        above = mel.clamp_min(floor) if self.audio.floor_mode == "clamp" else mel + floor
        return above.log() if self.audio.log == "ln" else above.log10()


def paddings(audio: AudioSettings) -> tuple[int, int]:
    """Return how many samples are reflected at the left and at the right."""
    if audio.padding == "center":
        return audio.n_fft // 2, audio.n_fft // 2
    both = audio.n_fft - audio.hop_length
    return both // 2, both - both // 2


def mel_filters(audio: AudioSettings) -> Tensor:
    """Return triangular filters over the bins of the Fourier transform, as librosa makes them.

    With scale and norm ``slaney`` they are those of Slaney's Auditory Toolbox (1998).

    Shape:
        Returns: (M, n_fft / 2 + 1) float64.
    """
    edges = _filter_edges(audio)
    bins = torch.linspace(0, audio.sample_rate / 2, audio.n_fft // 2 + 1, dtype=torch.float64)
    lower, centre, upper = (edges[first : first + audio.n_mels, None] for first in range(3))
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    filters = torch.minimum(rising, falling).clamp_min(0)
    _warn_of_empty(filters, audio)
    return filters * 2 / (upper - lower) if audio.mel_norm == "slaney" else filters


def _filter_edges(audio: AudioSettings) -> Tensor:
    """Return where the filters begin, peak and end in Hz: filter m at m, m + 1 and m + 2."""
    ends = torch.tensor([audio.fmin, audio.fmax], dtype=torch.float64)
    if audio.mel_scale == "htk":
        low, high = (2595 * torch.log10(1 + ends / 700)).tolist()
        mels = torch.linspace(low, high, audio.n_mels + 2, dtype=torch.float64)
        return 700 * (10 ** (mels / 2595) - 1)
    logarithmic = 15 + torch.log(ends / 1000) / _SLANEY_STEP
    low, high = torch.where(ends < 1000, ends / _SLANEY_HZ, logarithmic).tolist()
    mels = torch.linspace(low, high, audio.n_mels + 2, dtype=torch.float64)
    return torch.where(mels < 15, mels * _SLANEY_HZ, 1000 * torch.exp((mels - 15) * _SLANEY_STEP))


def _warn_of_empty(filters: Tensor, audio: AudioSettings) -> None:
    empty = (filters.amax(dim=1) == 0).nonzero().flatten().tolist()
    if empty:
        warnings.warn(
            f"{len(empty)} of {audio.n_mels} mel channels cover no bin of the Fourier transform "
            f"and are constant, the first of them channel {empty[0]}; fewer `n_mels`, a larger "
            f"`n_fft` or a higher `fmin` has none.",
            stacklevel=3,
        )
