"""The vocoder `griffin_lim`: a waveform whose mel is close to the one that is given."""

from __future__ import annotations

from typing import final

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kokoro_core.outer_contracts import Vocoder
from kokoro_core.spec.audio import AudioSettings
from kokoro_plugins.speech.mel import mel_filters, paddings

_FloatArray = NDArray[np.float64]


@final
class GriffinLim(Vocoder):
    """Finds phases by alternating projections (Griffin and Lim, 1984), with librosa.

    The magnitudes come from the pseudo-inverse of the mel filters, negative ones taken as 0; a
    search for the nearest non-negative ones brings the mel 3 % nearer and takes four times as long.
    Each row is made alone from the same first phases, so it does not depend on the batch. A row
    that would leave [-1, 1] is scaled to fit.

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
        self._inverse = np.linalg.pinv(mel_filters(audio))

    def decode(self, mel: Tensor, lengths: Tensor) -> Tensor:
        """Return the waveforms, 0 after each row's ``lengths * hop_length`` samples.

        Shape:
            mel: (B, T, M) log mel, not normalised. lengths: (B,) int64.
            Returns: (B, T * hop_length) float32 in [-1, 1].

        Raises:
            ValueError: The shapes do not fit, a length is outside 1 … T, or a row has a NaN or an
                infinity.
        """
        self._check(mel, lengths)
        hop = self.audio.hop_length
        waves = torch.zeros(mel.shape[0], mel.shape[1] * hop)
        for row, length in enumerate(lengths.tolist()):
            wave = self._decode_row(mel[row, :length].detach().cpu().double().numpy())
            waves[row, : length * hop] = torch.from_numpy(wave)
        return waves.to(mel.device)

    def _check(self, mel: Tensor, lengths: Tensor) -> None:
        if mel.dim() != 3 or mel.shape[2] != self.audio.n_mels:
            raise ValueError(
                f"`mel` must be (B, T, {self.audio.n_mels}), not {tuple(mel.shape)}; "
                f"the vocoder's `n_mels` is {self.audio.n_mels}."
            )
        if lengths.shape != mel.shape[:1]:
            raise ValueError(
                f"`lengths` must have one number for each of the {mel.shape[0]} rows of `mel`, "
                f"not the shape {tuple(lengths.shape)}."
            )
        for row, length in enumerate(lengths.tolist()):
            if not 1 <= length <= mel.shape[1]:
                raise ValueError(
                    f"`lengths` must lie within 1 and the {mel.shape[1]} frames of `mel`, but row "
                    f"{row} has {length}."
                )
            if not mel[row, :length].isfinite().all():
                raise ValueError(f"`mel` has a NaN or an infinity in row {row}; a mel is finite.")

    def _decode_row(self, mel: _FloatArray) -> NDArray[np.float32]:
        """Return the waveform of one row: (T, M) -> (T * hop_length,)."""
        wave = self._wave_of(self._magnitudes_of(mel), len(mel) * self.audio.hop_length)
        peak = float(np.abs(wave).max())
        return (wave / max(peak, 1.0)).astype(np.float32)

    def _magnitudes_of(self, mel: _FloatArray) -> _FloatArray:
        """Undo the logarithm and the filters: (T, M) -> (F, T)."""
        audio = self.audio
        linear = np.exp(mel) if audio.log == "ln" else np.power(10.0, mel)
        if audio.floor_mode == "add":
            linear = np.maximum(linear - audio.floor, 0.0)
        spectrum: _FloatArray = np.maximum(self._inverse @ linear.T, 0.0)
        return np.power(spectrum, 1 / audio.power)

    def _wave_of(self, magnitudes: _FloatArray, num_samples: int) -> _FloatArray:
        """Find the phases and return the waveform without what was reflected at its ends."""
        audio = self.audio
        left, _ = paddings(audio)
        wave: _FloatArray = librosa.griffinlim(
            magnitudes,
            n_iter=self._iterations,
            hop_length=audio.hop_length,
            win_length=audio.win_length,
            n_fft=audio.n_fft,
            center=False,
            momentum=self._momentum,
            random_state=self._seed,
        )
        return librosa.util.fix_length(wave[left:], size=num_samples)
