"""`shift_right`: the only shift there is, used by training and by nothing else."""

from __future__ import annotations

import torch
from torch import Tensor


def shift_right(mel: Tensor, reduction_factor: int = 1) -> Tensor:
    """Return the frames that a decoder is fed to make `mel`: a group of zero frames comes first.

    Generation feeds the same: zeros at its first step, then what it made.

    Shape:
        mel: (B, T, M). Returns: (B, ceil(T / r) * r, M).
    """
    groups = -(-mel.shape[1] // reduction_factor)
    fed = (groups - 1) * reduction_factor
    start = mel.new_zeros(mel.shape[0], reduction_factor, mel.shape[2])
    # The last group that is fed ends before the last frame.
    return torch.cat([start, mel[:, :fed]], dim=1)
