"""How far two mels lie apart, and what that means beside a floor and a ceiling."""

from __future__ import annotations

import math
from collections.abc import Iterable

import librosa
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kokoro_core.spec.audio import AudioSettings

Array = NDArray[np.float64]

NUM_CEPSTRA = 13
"""Mel cepstra that are compared, without the first, which is the loudness."""

DECIBEL = 10 * math.sqrt(2) / math.log(10)
"""Turns a distance of cepstra into decibel (Kubichek, 1993)."""


def mel_cepstra(log_mel: Array) -> Array:
    """Return the cepstra 1 to 13 of a log mel, by the discrete cosine transform.

    They are what the inverse Fourier transform of the even continuation gives: the log mel is
    c_0 + 2 Σ c_k cos(…). SPTK's mel cepstra are one-sided, without the 2, and distortions made from
    those are twice as large.

    Shape:
        log_mel: (T, M), natural logarithm. Returns: (T, 13).
    """
    channels = log_mel.shape[1]
    angles = np.outer(np.arange(1, NUM_CEPSTRA + 1), np.arange(channels) + 0.5)
    basis = np.cos(np.pi / channels * angles) / channels
    cepstra: Array = log_mel.astype(np.float64) @ basis.T
    return cepstra


def mel_cepstral_distortion(log_mel: Array, reference: Array) -> float:
    """Return the mel cepstral distortion in dB: the mean along the best alignment in time.

    The alignment is dynamic time warping with Euclidean distances (librosa's).

    Shape:
        log_mel: (T1, M). reference: (T2, M). Natural logarithms.
    """
    mine, theirs = mel_cepstra(log_mel), mel_cepstra(reference)
    _, path = librosa.sequence.dtw(X=mine.T, Y=theirs.T, metric="euclidean")
    distances = np.linalg.norm(mine[path[:, 0]] - theirs[path[:, 1]], axis=1)
    return float(DECIBEL * distances.mean())


def natural_log_mel(samples: Array, audio: AudioSettings) -> Array:
    """Return the log mel of samples as the settings define it, but always natural.

    Shape:
        samples: (S,). Returns: (T, M).
    """
    excess = audio.n_fft - audio.hop_length if audio.padding == "same" else 2 * (audio.n_fft // 2)
    padded = np.pad(samples, (excess // 2, excess - excess // 2), mode="reflect")
    mel: Array = librosa.feature.melspectrogram(
        y=padded,
        sr=audio.sample_rate,
        n_fft=audio.n_fft,
        hop_length=audio.hop_length,
        win_length=audio.win_length,
        center=False,
        power=audio.power,
        n_mels=audio.n_mels,
        fmin=audio.fmin,
        fmax=audio.fmax,
        htk=audio.mel_scale == "htk",
        norm=audio.mel_norm,
    )
    above = np.maximum(mel, audio.floor) if audio.floor_mode == "clamp" else mel + audio.floor
    return np.log(above).T


def mean_frame_error(mels: Iterable[Tensor], mean_frame: Tensor) -> float:
    """Return the mean absolute error of always saying the mean frame: knowing nothing.

    Shape:
        mels: each (T, M). mean_frame: (M,).
    """
    return float(torch.cat([mel - mean_frame for mel in mels]).abs().mean())


def copy_error(mels: Iterable[Tensor]) -> float:
    """Return the mean absolute error of repeating the true frame before, a zero frame at first.

    A teacher-forced error near it says that the model only copies.

    Shape:
        mels: each (T, M), normalised.
    """
    steps = [mel.diff(dim=0, prepend=mel.new_zeros(1, mel.shape[1])) for mel in mels]
    return float(torch.cat(steps).abs().mean())
