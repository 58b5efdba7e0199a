"""Aligned speech: a recording by espeak-ng with the frames of each of its phonemes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.speech.alignment import frames_of, symbols_of
from kokoro_plugins.speech.durations_file import Alignment
from kokoro_plugins.speech.espeak import Espeak
from kokoro_plugins.speech.espeak_library import SAMPLE_RATE
from kokoro_plugins.speech.frontend import speak_aligned

END_SILENCE = 1024
"""Samples of silence at the end: without them the final pause would have no frame."""


@dataclass(frozen=True)
class AlignedRecording:
    """A recording, (S,) int16, and its phonemes with the frames of each."""

    samples: NDArray[np.int16]
    alignment: Alignment


def check_sample_rate(audio: AudioSettings) -> None:
    """Refuse settings of another rate than espeak-ng's.

    Raises:
        ValueError: The rate differs.
    """
    if audio.sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"`audio.sample_rate` must be {SAMPLE_RATE}, at which espeak-ng speaks, "
            f"not {audio.sample_rate}."
        )


def synthesize_aligned(espeak: Espeak, text: str, mel: MelSpectrogram) -> AlignedRecording:
    """Speak a text and return the recording with durations that sum to the frames of its mel.

    Raises:
        FrontendError: espeak-ng cannot speak the text, or a sound of it has no symbol.
        ValueError: The mel is of another sample rate.
    """
    check_sample_rate(mel.audio)
    speech, parts = speak_aligned(espeak, text)
    samples = np.pad(speech.samples, (0, END_SILENCE))
    num_samples = len(samples)
    frames = frames_of(parts, num_samples, mel.audio.hop_length, mel.num_frames(num_samples))
    return AlignedRecording(samples, Alignment(tuple(symbols_of(parts)), tuple(frames)))
