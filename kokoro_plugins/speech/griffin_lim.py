"""The vocoder `griffin_lim`: a waveform whose mel is close to the one that is given."""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from kokoro_core.contracts import Vocoder
from kokoro_core.nn.mel import mel_filters, paddings
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.mel_inversion import unmix
from kokoro_plugins.speech.phases import ShortTimeFourier, find_wave


@final
class GriffinLim(Vocoder):
    """Finds phases by alternating projections (Griffin and Lim, 1984).

    Each row is made alone from the same first phases, in float32 on the CPU, so it depends on
    neither the batch nor the device. A row that would leave [-1, 1] is scaled to fit.

    Args:
        audio: The settings of the mels.
        iterations: Projections.
        momentum: Of the fast variant (Perraudin, Balazs and Søndergaard, 2013).
        seed: Of the first phases.
    """

    def __init__(
        self, *, audio: AudioSettings, iterations: int = 60, momentum: float = 0.99, seed: int = 0
    ) -> None:
        self.audio = audio
        self._iterations = iterations
        self._momentum = momentum
        self._seed = seed
        self._filters = mel_filters(audio).float()
        before = (audio.n_fft - audio.win_length) // 2
        after = audio.n_fft - audio.win_length - before
        self._window = F.pad(torch.hann_window(audio.win_length), (before, after))

    def decode(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Return the waveforms, 0 after each row's ``lengths * hop_length`` samples.

        Shape:
            mel: (B, T, M) log mel, not normalised. lengths: (B,) int64.
            Returns: (B, T * hop_length) float32 in [-1, 1].

        Raises:
            ValueError: The shapes do not fit, a length is outside 1 … T, or a row has a NaN or an
                infinity.
        """
        self.check_mel(mel, lengths)
        hop = self.audio.hop_length
        waves = torch.zeros(mel.shape[0], mel.shape[1] * hop)
        for row, length in enumerate(lengths.tolist()):
            waves[row, : length * hop] = self._decode_row(mel[row, :length].detach().cpu().double())
        return waves.to(mel.device)

    def _decode_row(self, mel: Tensor) -> Tensor:
        """Return the waveform of one row: (T, M) float64 -> (T * hop_length,) float32.

        The waveform of the mel at a loudest value of 1 is scaled in the end, so that no finite mel
        overflows.
        """
        audio = self.audio
        natural = mel if audio.log == "ln" else mel * math.log(10)
        loudest = natural.max()
        linear = torch.exp(natural - loudest)
        if audio.floor_mode == "add":
            linear = (linear - audio.floor * torch.exp(-loudest)).clamp_min(0)
        magnitudes = unmix(self._filters, linear.float()).pow(1 / audio.power)
        fourier = ShortTimeFourier(self._window, audio.hop_length, len(mel))
        wave = find_wave(
            magnitudes,
            fourier,
            iterations=self._iterations,
            momentum=self._momentum,
            seed=self._seed,
        )
        left, _ = paddings(audio)
        wave = F.pad(wave[left:], (0, audio.n_fft))[: len(mel) * audio.hop_length]
        return _louder(wave, float(loudest) / audio.power)


def _louder(wave: Tensor, gain: float) -> Tensor:
    """Return the wave times e^gain, or as loud as [-1, 1] allows: (S,) -> (S,)."""
    peak = float(wave.abs().max())
    if peak == 0 or gain + math.log(peak) <= 0:
        return wave * math.exp(gain)
    return wave / peak
