"""Whether a recording can be learned from: its header and its samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from kokoro_core.nn.mel import MelSpectrogram
from kokoro_plugins.speech.corpus_problems import NearMatches, UtteranceProblem

LOUDEST = 2.0
"""Peaks of floating-point recordings go a little beyond 1 when they are resampled, never so far."""

QUIETEST = 1e-3
"""A recording with a lower peak, -60 dB, is taken for silence."""

FULL_SCALE, MOST_CLIPPED = 0.9999, 0.01
"""Of a recording that is clipped, more than 1 % of the samples are at full scale."""


def frames_of_recording(
    path: Path, mel: MelSpectrogram, nearby: NearMatches
) -> int | UtteranceProblem:
    """Return the mel frames of a recording, or what is wrong with it."""
    where = f"wavs/{path.name}"
    info = _header(path, nearby)
    if isinstance(info, UtteranceProblem):
        return info
    if info.samplerate != mel.audio.sample_rate:
        return UtteranceProblem(
            "another sample rate",
            f"has a recording of {info.samplerate} Hz, {where}, but `audio.sample_rate` is "
            f"{mel.audio.sample_rate}; resample it.",
        )
    if info.channels != 1:
        return UtteranceProblem(
            "more than one channel",
            f"has a recording of {info.channels} channels, {where}; mix it to one.",
        )
    try:
        frames = mel.num_frames(info.frames)
    except ValueError as error:
        return UtteranceProblem("too short", f"has a recording that is too short, {where}: {error}")
    return _heard(path) or frames


def read_samples(path: Path) -> NDArray[np.float32]:
    """Return the samples of a recording, (S,)."""
    samples: NDArray[np.float32] = soundfile.read(path, dtype="float32")[0]
    return samples


def _header(path: Path, nearby: NearMatches) -> Any:
    """Return what soundfile says of a recording, or what is wrong with it."""
    where = f"wavs/{path.name}"
    try:
        if path.is_file():
            return soundfile.info(path)
    except OSError as error:  # a name that no file system takes, say
        message = f"has no recording that can be looked for: {error.strerror}."
        return UtteranceProblem("no recording", message)
    except soundfile.LibsndfileError as error:
        return unreadable(where, error)
    near = nearby.find(path.name)
    hint = f", but wavs/{near} is there; rename or convert it" if near else ""
    return UtteranceProblem("no recording", f"has no recording; {where} is missing{hint}.")


def _heard(path: Path) -> UtteranceProblem | None:
    """Return what is wrong with the samples themselves."""
    where = f"wavs/{path.name}"
    try:
        samples = read_samples(path)
    except soundfile.LibsndfileError as error:
        return unreadable(where, error)
    return problem_of_samples(samples, where)


def problem_of_samples(samples: NDArray[np.float32], where: str) -> UtteranceProblem | None:
    """Return what is wrong with the samples of a recording, (S,), at least one."""
    loudness = np.abs(samples)
    peak = float(loudness.max())
    if not np.isfinite(peak):
        message = f"has a recording with a NaN or an infinity, {where}; make it anew."
        return UtteranceProblem("not finite", message)
    if peak > LOUDEST:
        return UtteranceProblem(
            "samples beyond [-1, 1]",
            f"has a recording with samples up to {peak:,.4g}, {where}; floating-point samples lie "
            f"within [-1, 1], so divide those of 16 bits by 32768.",
        )
    swing = float(samples.max() - samples.min()) / 2
    if min(peak, swing) < QUIETEST:
        message = f"has a recording that is silent, {where}: its loudest sample is {peak:.1g}"
        message += "." if peak < QUIETEST else f" and no other is farther than {2 * swing:.1g} off."
        return UtteranceProblem("silent", message)
    clipped = float((loudness >= FULL_SCALE).mean())
    if clipped > MOST_CLIPPED:
        message = f"has a recording that is clipped, {where}: {clipped:.0%} of it is at full scale."
        return UtteranceProblem("clipped", message)
    return None


def unreadable(where: str, error: soundfile.LibsndfileError) -> UtteranceProblem:
    """Return the problem of a file that soundfile cannot read."""
    message = f"has a recording that cannot be read, {where}: {error.error_string}"
    return UtteranceProblem("unreadable", message)
