"""What an error of mels means beside knowing nothing and beside copying."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


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
