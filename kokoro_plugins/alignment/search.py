"""Monotonic alignment search (Glow-TTS, Kim et al., 2020)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, np.dtype[Any]]


def search(score: Tensor, phonemes: Tensor, frames: Tensor) -> Tensor:
    """Return the durations of the monotonic path with the largest sum of scores.

    Every phoneme gets a frame; where two paths are equal, the later phoneme begins earlier. It runs
    on the CPU, one pass over the frames for all rows at once, and its result has no gradient.

    Shape:
        score: (B, N, T). phonemes, frames: (B,) int64, the lengths of the rows. Returns: (B, N)
        int64, 0 at padding.

    Raises:
        ValueError: A row has fewer frames than phonemes.
    """
    if score.is_meta:  # where the cost of a model is counted, there is nothing to find
        return score.new_zeros(score.shape[:2], dtype=torch.int64)
    lengths = phonemes.tolist(), frames.tolist()
    for row, (num, most) in enumerate(zip(*lengths, strict=True)):
        if num > most:
            raise ValueError(
                f"`score` must have a frame for each phoneme, but row {row} has {num} phonemes and "
                f"{most} frames; leave such an utterance out."
            )
    scores = score.detach().double().cpu().numpy()
    with np.errstate(invalid="ignore"):  # what stands at padding leads nowhere
        advances = _advances(scores)
    durations = _walk_back(advances, *(np.asarray(each) for each in lengths))
    return torch.from_numpy(durations).to(score.device)


def _advances(scores: Array) -> Array:
    """Return for each frame whether the best path to a phoneme comes from the one before it.

    Shape:
        scores: (B, N, T). Returns: (T, B, N) bool.
    """
    rows, phonemes, frames = scores.shape
    columns = np.ascontiguousarray(scores.transpose(2, 0, 1))  # (B, N, T) -> (T, B, N)
    best = np.full((rows, phonemes), -np.inf)
    best[:, 0] = columns[0, :, 0]
    advances = np.zeros((frames, rows, phonemes), dtype=bool)
    before = np.full((rows, phonemes), -np.inf)
    for frame in range(1, frames):
        before[:, 1:] = best[:, :-1]
        np.less(best, before, out=advances[frame])
        np.maximum(best, before, out=best)
        best += columns[frame]
    return advances


def _walk_back(advances: Array, phonemes: Array, frames: Array) -> Array:
    """Follow each row's path from its last phoneme at its last frame, and count."""
    rows = np.arange(len(phonemes))
    durations = np.zeros((len(phonemes), advances.shape[2]), dtype=np.int64)
    at = phonemes - 1
    for frame in range(len(advances) - 1, -1, -1):
        inside = frame < frames
        durations[rows, at] += inside
        at = at - (advances[frame, rows, at] & inside)
    return durations
