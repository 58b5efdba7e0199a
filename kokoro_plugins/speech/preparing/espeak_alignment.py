"""Durations by warping: espeak-ng speaks the same phonemes, and its mel is laid onto a recording's.

On recordings by another voice of espeak-ng nearly all boundaries come within two frames; on natural
speech it is a start.
"""

from __future__ import annotations

from dataclasses import replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kokoro_core.nn.mel import MelSpectrogram
from kokoro_plugins.speech.alignment import Segment, frames_of
from kokoro_plugins.speech.espeak_library import SAMPLE_RATE
from kokoro_plugins.speech.frontend import EspeakFrontend
from kokoro_plugins.speech.preparing.warping import warp
from kokoro_plugins.speech.synthesis import END_SILENCE


@final
class EspeakAligner:
    """Finds the frames of each phoneme of a recording.

    Args:
        frontend: Makes the phonemes of a text, and speaks them.
        mel: Of the recordings.
    """

    def __init__(self, frontend: EspeakFrontend, mel: MelSpectrogram) -> None:
        self._frontend = frontend
        self._mel = mel

    def align(self, text: str, recorded: Tensor, num_samples: int) -> tuple[tuple[int, ...], float]:
        """Return the frames of each phoneme, and how far the two mels are from each other.

        Args:
            text: What is said.
            recorded: The mel of the recording, (T, M).
            num_samples: Of the recording.

        Raises:
            FrontendError: The text cannot be spoken.
        """
        speech, parts = self._frontend.speak(text)
        spoken = self._spoken(np.pad(speech.samples, (0, END_SILENCE)))
        first, distance = warp(spoken, recorded.double().numpy())
        moved = [replace(part, start=self._moved(part, first)) for part in parts]
        frames = frames_of(moved, num_samples, self._mel.audio.hop_length, len(recorded))
        return tuple(frames), distance

    def _spoken(self, samples: NDArray[np.int16]) -> NDArray[np.float64]:
        import soxr

        wave = samples.astype(np.float32) / 32768
        resampled = soxr.resample(wave, SAMPLE_RATE, self._mel.audio.sample_rate)
        mel: Tensor = self._mel(torch.from_numpy(np.asarray(resampled, np.float32)))
        return mel.double().numpy()

    def _moved(self, part: Segment, first: NDArray[np.int64]) -> int:
        """Return the sample of the recording at which a part begins."""
        audio = self._mel.audio
        frame = round(part.start / SAMPLE_RATE * audio.sample_rate / audio.hop_length)
        return int(first[min(frame, len(first) - 1)]) * audio.hop_length
