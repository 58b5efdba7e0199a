"""`ExampleVocoder`."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from kokoro_core.contracts import Vocoder
from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings


@final
class ExampleVocoder(Vocoder):
    """Gives each frame the spectrum that its mel describes, with phases that are drawn.

    Args:
        audio: The settings of the mels.
        seed: Of the phases.
    """

    def __init__(self, *, audio: AudioSettings, seed: int) -> None:
        self.audio = audio
        self._seed = seed
        # (M, F) -> (F, M)
        self._unmix = torch.linalg.pinv(MelSpectrogram(audio=audio).filters)
        self._window = torch.hann_window(audio.n_fft)

    def decode(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Return the waveforms, 0 after each row's ``lengths * hop_length`` samples.

        Samples beyond [-1, 1] are cut off.

        Shape:
            mel: (B, T, M) log mel, not normalised. lengths: (B,) int64.
            Returns: (B, T * hop_length) float32 in [-1, 1].

        Raises:
            ValueError: The shapes do not fit, a length is outside 1 … T, or a row is not finite.
        """
        self.check_mel(mel, lengths)
        hop = self.audio.hop_length
        waves = torch.zeros(mel.shape[0], mel.shape[1] * hop)
        for row, length in enumerate(lengths.tolist()):
            waves[row, : length * hop] = self._decode_row(mel[row, :length].float().cpu())
        return waves.clamp(-1, 1).to(mel.device)

    def _decode_row(self, mel: Tensor) -> Tensor:
        """Return the waveform of one row: (T, M) -> (T * hop_length,)."""
        linear = (mel if self.audio.log == "ln" else mel * math.log(10)).exp()
        magnitudes = (linear @ self._unmix.T).clamp_min(0).pow(1 / self.audio.power)
        drawn = torch.rand(magnitudes.shape, generator=torch.Generator().manual_seed(self._seed))
        spectra = torch.polar(magnitudes, 2 * math.pi * drawn)
        # (T, F) -> (T, n_fft)
        frames = torch.fft.irfft(spectra, self.audio.n_fft) * self._window
        weight = self._window.square().expand_as(frames)
        wave = self._overlapped(frames) / self._overlapped(weight).clamp_min(1e-3)
        before = (self.audio.n_fft - self.audio.hop_length) // 2
        return wave[before : before + len(mel) * self.audio.hop_length]

    def _overlapped(self, frames: Tensor) -> Tensor:
        """Add up frames at their places: (T, n_fft) -> ((T - 1) * hop_length + n_fft,)."""
        hop, size = self.audio.hop_length, self.audio.n_fft
        length = (len(frames) - 1) * hop + size
        # (T, n_fft) -> (1, n_fft, T) -> (1, 1, 1, S) -> (S,)
        columns = frames.T.unsqueeze(0)
        return F.fold(columns, (1, length), (1, size), stride=(1, hop)).flatten()
