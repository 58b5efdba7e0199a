"""`SinesVocoder`."""

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
class SinesVocoder(Vocoder):
    """Adds up a sine for each channel, at the frequency that the channel hears best.

    Args:
        audio: The settings of the mels.
        gain: What the sines are multiplied by.
    """

    def __init__(self, *, audio: AudioSettings, gain: float) -> None:
        self.audio = audio
        heard = MelSpectrogram(audio=audio).filters.max(dim=1)
        self._frequencies = heard.indices * (audio.sample_rate / audio.n_fft)
        # A sine of amplitude 1 at a bin has half the window's sum there, which is half its length.
        of_one = heard.values * (audio.win_length / 4) ** audio.power
        # A channel that covers no bin hears nothing, so its sine is left out.
        self._scale = torch.where(heard.values > 0, gain / of_one.pow(1 / audio.power), 0.0)

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
            waves[row, : length * hop] = self._wave(mel[row, :length].float().cpu())
        return waves.clamp(-1, 1).to(mel.device)

    def _wave(self, mel: Tensor) -> Tensor:
        """Return the waveform of one row: (T, M) -> (T * hop_length,)."""
        natural = mel if self.audio.log == "ln" else mel * math.log(10)
        amplitudes = (natural / self.audio.power).exp() * self._scale
        samples = len(mel) * self.audio.hop_length
        # (T, M) -> (1, M, T) -> (1, M, S)
        smooth = F.interpolate(amplitudes.T.unsqueeze(0), size=samples, mode="linear")[0]
        seconds = torch.arange(samples, dtype=torch.float64) / self.audio.sample_rate
        wave = torch.zeros(samples)
        for frequency, amplitude in zip(self._frequencies.tolist(), smooth, strict=True):
            wave += amplitude * (2 * math.pi * frequency * seconds).sin().float()
        return wave
