"""`WaveLosses`: how far waves are from recordings, seen through spectrograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings

RESOLUTIONS = ((512, 160), (1024, 320), (2048, 640))
"""Samples of a frame and from one to the next."""

_LEAST = 1e-7
"""The least squared magnitude, so that roots and logarithms have finite gradients."""

Terms = dict[str, Tensor]


def least_samples(audio: AudioSettings) -> int:
    """Return how many samples a wave must have, so that each spectrogram can be computed."""
    return max(audio.n_fft, *(n_fft for n_fft, _ in RESOLUTIONS))


@final
class WaveLosses(nn.Module):
    """The distance of log mels, and that of spectrograms in several resolutions.

    Of each resolution there are the spectral convergence and the mean distance of log magnitudes
    (Yamamoto et al., 2020), the means over resolutions of which are terms.

    Args:
        audio: Of the mels.
        resolutions: Samples of a frame, which is a window too, and from one to the next.
    """

    def __init__(
        self, *, audio: AudioSettings, resolutions: Sequence[tuple[int, int]] = RESOLUTIONS
    ) -> None:
        super().__init__()
        self._resolutions = tuple(resolutions)
        self.mel = MelSpectrogram(audio=audio)
        for n_fft, _ in self._resolutions:
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft), persistent=False)

    def forward(self, made: Tensor, recorded: Tensor) -> Terms:
        """Return the losses of waves: `mel`, `convergence` and `magnitude`.

        Shape:
            made, recorded: (B, S). Returns: () each.
        """
        mel = (self.mel(made) - self.mel(recorded)).abs().mean()
        pairs = [
            (self._magnitudes(made, *each), self._magnitudes(recorded, *each))
            for each in self._resolutions
        ]
        return {
            "mel": mel,
            "convergence": torch.stack([_convergence(*each) for each in pairs]).mean(),
            "magnitude": torch.stack([_log_distance(*each) for each in pairs]).mean(),
        }

    def _magnitudes(self, wave: Tensor, n_fft: int, hop: int) -> Tensor:
        transformed = torch.stft(
            wave,
            n_fft,
            hop_length=hop,
            window=self.get_buffer(f"window_{n_fft}"),
            return_complex=True,
        )
        squared = transformed.real.square() + transformed.imag.square()
        return squared.clamp_min(_LEAST).sqrt()


def _convergence(made: Tensor, recorded: Tensor) -> Tensor:
    ratio: Tensor = torch.linalg.vector_norm(recorded - made) / torch.linalg.vector_norm(recorded)
    return ratio


def _log_distance(made: Tensor, recorded: Tensor) -> Tensor:
    return (recorded.log() - made.log()).abs().mean()
