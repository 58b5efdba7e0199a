"""Pitch of speech beside that of its recording, frame by frame of the best alignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kokoro_core.measures.mel_distortion import Warping
from kokoro_core.params.audio import AudioSettings
from kokoro_plugins.evaluation.sound import Samples

CENTS = 1200
"""Cents of an octave."""


@dataclass(frozen=True)
class PitchErrors:
    """Errors of pitch along an alignment.

    Attributes:
        cents: Sum of the absolute differences where both are voiced.
        voiced: Pairs of frames that are.
        wrong_voicing: Pairs of which one is voiced.
        pairs: All.
    """

    cents: float
    voiced: int
    wrong_voicing: int
    pairs: int


def pitch_of(samples: Samples, audio: AudioSettings, frames: int) -> NDArray[np.float64]:
    """Return the fundamental frequency in Hz of each mel frame by WORLD, 0 where it has no voice.

    Shape:
        samples: (S,). Returns: (frames,).
    """
    import pyworld

    wave = samples.astype(np.float64)
    period = 1000 * audio.hop_length / audio.sample_rate
    coarse, times = pyworld.dio(wave, audio.sample_rate, frame_period=period)
    fine = pyworld.stonemask(wave, coarse, times, audio.sample_rate)
    pitch: NDArray[np.float64] = np.pad(fine, (0, max(0, frames - len(fine))))[:frames]
    return pitch


def pitch_errors(
    mine: NDArray[np.float64], theirs: NDArray[np.float64], warping: Warping
) -> PitchErrors:
    """Return the errors of one pitch beside another.

    Shape:
        mine: (T1,) Hz. theirs: (T2,) Hz; 0 where there is no voice.
    """
    first, second = mine[list(warping.mine)], theirs[list(warping.theirs)]
    both = (first > 0) & (second > 0)
    cents = CENTS * np.abs(np.log2(first[both] / second[both]))
    return PitchErrors(
        cents=float(cents.sum()),
        voiced=int(both.sum()),
        wrong_voicing=int(((first > 0) != (second > 0)).sum()),
        pairs=len(first),
    )
