"""Durations: the meaning of predictions, the only rounding, and a frame's place in its phoneme."""

from __future__ import annotations

from numbers import Real
from typing import Literal

import torch
from torch import Tensor

MOST_FRAMES = 10_000_000
"""Upper limit of a phoneme's frames (more than a day at the usual 86 frames per second)."""


def log_durations(durations: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the target of a duration predictor: the natural log of (frames + 1)."""
    # log1p, not log: a phoneme of 0 frames is valid
    return torch.log1p(durations.to(dtype))


def frames_from_log(duration_pred: Tensor, padding_mask: Tensor) -> Tensor:
    """Return frames from the natural log of (frames + 1), not negative, 0 at padding.

    A prediction below 0 would be a negative number of frames and counts as none.

    Shape:
        duration_pred: (B, N). padding_mask: (B, N) bool. Returns: (B, N).
    """
    return torch.expm1(duration_pred).relu().masked_fill(padding_mask, 0.0)


def round_durations(
    frames: Tensor,
    padding_mask: Tensor,
    *,
    speed: float | Tensor = 1.0,
    min_frames: int = 1,
    rounding: Literal["nearest", "up"] = "nearest",
) -> Tensor:
    """Return whole frames: ``floor(frames / speed + 0.5)``, at least `min_frames`, 0 at padding.

    This is the only place where durations are rounded.

    Args:
        frames: (B, N) float, not negative.
        padding_mask: (B, N) bool.
        speed: Above 1 is faster; a number, (B, 1) or (B, N).
        min_frames: The minimum for a phoneme.
        rounding: ``up`` takes the next whole number that is not below ``frames / speed``.

    Raises:
        TypeError: `speed` is not a number.
        ValueError: `speed` is not above 0 or does not fit the phonemes, `min_frames` is negative,
            or a phoneme's frames exceed `MOST_FRAMES` or are NaN.
    """
    _check_speed(speed, tuple(frames.shape))
    if min_frames < 0:
        raise ValueError(f"`min_frames` must be 0 or more, not {min_frames}.")
    paced = (frames / speed).masked_fill(padding_mask, 0)
    if not torch.compiler.is_compiling():
        _check_frames(paced)
    # not torch.round, which rounds halves to even: 2.5 frames would last as long as 1.5
    rounded = torch.ceil(paced) if rounding == "up" else torch.floor(paced + 0.5)
    whole = rounded.to(torch.int64)
    return whole.clamp_min(min_frames).masked_fill(padding_mask, 0)


def _check_speed(speed: float | Tensor, shape: tuple[int, ...]) -> None:
    if not isinstance(speed, Tensor):
        if not isinstance(speed, Real) or isinstance(speed, bool):
            raise TypeError(f"`speed` must be a number or a tensor, not {speed!r}.")
        if not 0 < speed < float("inf"):
            raise ValueError(
                f"`speed` must be a number above 0, not {speed}; 1.0 is the normal pace."
            )
        return
    if tuple(speed.shape) not in ((), (shape[0], 1), shape):
        raise ValueError(
            f"`speed` must be a number or of shape {(shape[0], 1)} or {shape}, "
            f"not {tuple(speed.shape)}."
        )
    if not bool(((speed > 0) & speed.isfinite()).all()):
        raise ValueError(f"`speed` must be above 0 everywhere, not {speed.flatten().tolist()[:8]}.")


def _check_frames(frames: Tensor) -> None:
    wrong = ~(frames < MOST_FRAMES)
    for row, phoneme in wrong.nonzero().tolist():
        raise ValueError(
            f"`frames` must be numbers below {MOST_FRAMES:,}, but phoneme {phoneme} of row {row} "
            f"is to last {float(frames[row, phoneme])}; the duration predictor (or `speed`) is off."
        )


def check_durations(durations: Tensor, padding_mask: Tensor) -> None:
    """Reject durations that are not integer frames of the phonemes, without synchronising.

    Shape:
        durations: (B, N) int64. padding_mask: (B, N) bool.

    Raises:
        ValueError: They are not int64, or do not have the phonemes' shape.
    """
    if durations.dtype is not torch.int64 or durations.shape != padding_mask.shape:
        raise ValueError(
            f"`durations` must be int64 frames of shape {tuple(padding_mask.shape)}, one number a "
            f"phoneme, not {durations.dtype} of shape {tuple(durations.shape)}; `round_durations` "
            f"makes whole frames."
        )


def phoneme_of_frame(durations: Tensor, num_frames: int) -> Tensor:
    """Return the index of the phoneme of each frame.

    A frame after the last phoneme gets the last index; the row's padding mask marks it as padding.

    Shape:
        durations: (B, N) int64. Returns: (B, T) int64.
    """
    ends = durations.cumsum(1)
    frames = torch.arange(num_frames, device=durations.device).expand(durations.shape[0], -1)
    if torch.compiler.is_exporting():  # ONNX has no search
        # (B, 1, N) <= (B, T, 1) -> (B, T)
        index = (ends.unsqueeze(1) <= frames.unsqueeze(2)).sum(2)
    else:
        index = torch.searchsorted(ends, frames.contiguous(), right=True)
    return index.clamp_max(durations.shape[1] - 1)


def place_in_phoneme(durations: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
    """Return the number of frames of the same phoneme before and after each frame.

    Past the row's end both continue as if the last phoneme went on: the first grows, the
    second is below 0. The caller masks these frames.

    Shape:
        durations: (B, N) int64. Returns: two tensors (B, T) int64.
    """
    phoneme = phoneme_of_frame(durations, num_frames)
    ends = durations.cumsum(1).gather(1, phoneme)
    starts = ends - durations.gather(1, phoneme)
    frames = torch.arange(num_frames, device=durations.device)
    return frames - starts, ends - 1 - frames


def mean_over_phonemes(values: Tensor, durations: Tensor) -> Tensor:
    """Return the mean of each phoneme's frames, 0 for a phoneme without a frame.

    Shape:
        values: (B, T). durations: (B, N) int64. Returns: (B, N).
    """
    frames = torch.arange(values.shape[1], device=values.device)
    inside = frames < durations.sum(1, keepdim=True)
    index = phoneme_of_frame(durations, values.shape[1])
    sums = values.new_zeros(durations.shape).scatter_add(1, index, values.masked_fill(~inside, 0))
    return sums / durations.clamp_min(1)
