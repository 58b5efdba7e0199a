"""Log mel spectrograms, as `AudioSettings` defines them."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from kokoro_core.spec.audio import AudioSettings

_EPSILON = 1e-9
"""HiFi-GAN adds it to the squared magnitude, which keeps the gradient of the root finite."""


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
        filters = torch.from_numpy(mel_filters(audio)).to(self.window.dtype)
        self.register_buffer("filters", filters, persistent=False)

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


def mel_filters(audio: AudioSettings) -> NDArray[np.float64]:
    """Return librosa's mel filters, (M, n_fft / 2 + 1)."""
    import librosa

    filters: NDArray[np.float64] = librosa.filters.mel(
        sr=audio.sample_rate,
        n_fft=audio.n_fft,
        n_mels=audio.n_mels,
        fmin=audio.fmin,
        fmax=audio.fmax,
        htk=audio.mel_scale == "htk",
        norm=audio.mel_norm,
        dtype=np.float64,
    )
    return filters
