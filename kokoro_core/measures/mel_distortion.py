"""How far two mels lie apart, along the best alignment in time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kokoro_core.nn.mel import MelSpectrogram
from kokoro_core.params.audio import AudioSettings

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

    The alignment is dynamic time warping with Euclidean distances.

    Shape:
        log_mel: (T1, M). reference: (T2, M). Natural logarithms.
    """
    return warped(log_mel, reference).distortion


@dataclass(frozen=True)
class Warping:
    """The best alignment of two mels in time.

    Attributes:
        distortion: Mean mel cepstral distortion along it, in dB.
        mine: Frames of the first, in order; some stand there several times.
        theirs: The frame of the second beside each.
    """

    distortion: float
    mine: tuple[int, ...]
    theirs: tuple[int, ...]


def warped(log_mel: Array, reference: Array) -> Warping:
    """Return the best alignment of two mels by dynamic time warping of their cepstra.

    Shape:
        log_mel: (T1, M). reference: (T2, M). Natural logarithms.
    """
    mine, theirs = mel_cepstra(log_mel), mel_cepstra(reference)
    distances = np.linalg.norm(mine[:, None] - theirs[None], axis=2)
    rows, columns = _cheapest_path(distances)
    distortion = float(DECIBEL * distances[rows, columns].mean())
    return Warping(distortion, tuple(rows), tuple(columns))


def _cheapest_path(costs: Array) -> tuple[list[int], list[int]]:
    """Return the rows and columns of the path of least cost from one corner to the other.

    Each diagonal of sums depends on the two before it alone, so one is made at a time.
    """
    rows, columns = costs.shape
    sums = np.full((rows + 1, columns + 1), np.inf)
    sums[0, 0] = 0.0
    for diagonal in range(2, rows + columns + 1):
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        before = np.minimum(np.minimum(sums[i - 1, j - 1], sums[i, j - 1]), sums[i - 1, j])
        sums[i, j] = costs[i - 1, j - 1] + before
    path = [(rows, columns)]
    while path[-1] != (1, 1):
        row, column = path[-1]
        steps = [(row - 1, column - 1), (row, column - 1), (row - 1, column)]
        path.append(min(steps, key=lambda place: float(sums[place])))
    path.reverse()
    return [row - 1 for row, _ in path], [column - 1 for _, column in path]


def natural_mels(mel: Tensor, lengths: Tensor, audio: AudioSettings) -> list[Array]:
    """Return the natural log mel of each row of a normalised mel.

    Shape:
        mel: (B, T, M). lengths: (B,) int64.
    """
    natural = (mel.double() * audio.std + audio.mean) * (
        math.log(10) if audio.log == "log10" else 1
    )
    return [row[:length].numpy() for row, length in zip(natural, lengths.tolist(), strict=True)]


def natural_log_mel(samples: Array, audio: AudioSettings) -> Array:
    """Return the log mel of samples as the settings define it, but always natural.

    What is shorter than a window, a row that ended at its first frame, is followed by silence.

    Shape:
        samples: (S,). Returns: (T, M).
    """
    mel = MelSpectrogram(audio=audio.model_copy(update={"log": "ln"})).double()
    windowed = np.pad(samples, (0, max(0, audio.n_fft - len(samples))))
    natural: Array = mel(torch.from_numpy(windowed).double()).numpy()
    return natural
