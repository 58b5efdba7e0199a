"""Samples as measures want them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""(S,) within [-1, 1]."""


def read_recording(path: Path, sample_rate: int) -> Samples:
    """Return the samples of a recording at a sample rate, several channels mixed to one.

    Raises:
        ModuleNotFoundError: soundfile is not installed, or soxr where it has another rate.
    """
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resampled(samples.mean(axis=1), rate, sample_rate)


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """Return samples at another rate.

    Raises:
        ModuleNotFoundError: soxr is not installed, and the rates differ.
    """
    if rate == wanted:
        return samples
    import soxr

    return np.asarray(soxr.resample(samples, rate, wanted), dtype=np.float32)
