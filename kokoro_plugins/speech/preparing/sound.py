"""Recordings as training wants them: one channel, one rate, one loudness, short ends."""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from kokoro_plugins.speech.corpus_problems import UtteranceProblem
from kokoro_plugins.speech.recordings import problem_of_samples, unreadable

Samples = NDArray[np.float32]

HIGHEST_PEAK = 0.9
"""Peaks stay below it: where the loudness that is wanted asks for more, it is not reached."""

QUIET = 40.0
"""dB below the loudest frame: what is below at the ends is silence."""

FRAME = 0.01
"""Seconds in which loudness is looked at."""

SHORTEST_MEASURE = 0.4
"""Seconds that loudness is measured over (ITU-R BS.1770); shorter speech is repeated."""


@dataclass(frozen=True)
class Sound:
    """A recording that was settled.

    Attributes:
        samples: (S,) int16.
        start: Where it begins in the recording as it was, in seconds.
        seconds: Of the recording as it was.
        rate: Of the recording as it was, in Hz.
        gain: In dB.
        is_at_peak: Whether the peak and not the loudness decided the gain.
    """

    samples: NDArray[np.int16]
    start: float
    seconds: float
    rate: int
    gain: float
    is_at_peak: bool


def settle(
    path: Path, *, sample_rate: int, loudness: float | None, silence: float | None
) -> Sound | UtteranceProblem:
    """Return a recording in one channel at a rate, or what is wrong with it.

    Args:
        path: Of any format that soundfile reads.
        sample_rate: In Hz.
        loudness: In LUFS; None: as it is.
        silence: Seconds that stay at each end; None: all of it.
    """
    import soxr

    try:
        channels, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        return unreadable(path.name, error)
    if not len(channels):
        return UtteranceProblem("empty", f"has a recording without a sample, {path.name}.")
    samples = channels.mean(1)
    problem = problem_of_samples(channels.ravel(), path.name)
    problem = problem or problem_of_samples(samples, path.name)
    if problem is not None:
        return problem
    samples = np.asarray(soxr.resample(samples, rate, sample_rate), np.float32)
    first, last = (0, len(samples)) if silence is None else ends(samples, sample_rate, silence)
    kept = samples[first:last]
    gain, is_at_peak = _gain(kept, sample_rate, loudness)
    scaled = np.round(kept * gain * 32767).clip(-32768, 32767).astype(np.int16)
    return Sound(
        samples=scaled,
        start=first / sample_rate,
        seconds=len(samples) / sample_rate,
        rate=rate,
        gain=20 * math.log10(gain),
        is_at_peak=is_at_peak,
    )


def ends(samples: Samples, sample_rate: int, silence: float) -> tuple[int, int]:
    """Return where speech begins and ends, with that many seconds of silence around it."""
    step = max(1, round(FRAME * sample_rate))
    loud = np.flatnonzero(levels(samples, step) > -QUIET)
    keep = round(silence * sample_rate)
    first, last = int(loud[0]) * step - keep, (int(loud[-1]) + 1) * step + keep
    return max(0, first), min(len(samples), last)


def levels(samples: Samples, step: int) -> NDArray[np.float64]:
    """Return the level of each stretch of `step` samples in dB below the loudest."""
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % step))
    # (S,) -> (S / step, step)
    power = np.square(padded.reshape(-1, step)).mean(1)
    return np.asarray(10 * np.log10(np.maximum(power / power.max(), 1e-12)))


def _gain(samples: Samples, sample_rate: int, loudness: float | None) -> tuple[float, bool]:
    """Return the factor that brings samples to a loudness, and whether the peak forbids it."""
    peak = float(np.abs(samples).max())
    if loudness is None:
        return 1 / max(peak, 1.0), peak > 1
    most = HIGHEST_PEAK / peak
    wanted = 10 ** ((loudness - loudness_of(samples, sample_rate)) / 20)
    return min(wanted, most), most < wanted


def loudness_of(samples: Samples, sample_rate: int) -> float:
    """Return the integrated loudness in LUFS (ITU-R BS.1770-4)."""
    import pyloudnorm

    needed = math.ceil(SHORTEST_MEASURE * sample_rate) + 1
    if len(samples) < needed:
        samples = np.fromiter(itertools.cycle(samples), np.float32, needed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of peaks, which are looked at above
        measured = float(pyloudnorm.Meter(sample_rate).integrated_loudness(samples))
    # Below -70 LUFS nothing is measured.
    return max(measured, -70.0)
