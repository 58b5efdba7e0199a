"""`LearnedRangesRegulator`: Gaussian upsampling with a learned range a phoneme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import Plan, Regulator
from kokoro_core.nn.recurrent import BidirectionalLstm
from kokoro_core.tensors.durations import check_durations
from kokoro_core.tensors.masks import padding_mask_from_lengths, zero_padding
from kokoro_core.tensors.pytree import register_pytree

LEAST_RANGE = 0.01
"""Frames added to each range: the softplus of a far negative number is 0, and 0 / 0 no weight."""


@register_pytree
@dataclass(frozen=True)
class RangedPlan(Plan):
    """A plan with the weight of each phoneme in each frame.

    Attributes:
        weights: (B, T, N); they sum to 1 for each frame, and are 0 at padding.
    """

    weights: Tensor


@final
class LearnedRangesRegulator(Regulator):
    """Gaussian upsampling of Non-Attentive Tacotron (Shen et al., 2020, section 3.1).

    The weight of phoneme n in frame t is proportional to the normal density of t with mean
    c = cumsum(d) - d/2 and standard deviation σ, for t = 1 … T. The σ, in frames, is the softplus
    of a linear layer on LSTMs in both directions, which read the hidden vectors and the durations.
    A phoneme of 0 frames has no weight.

    Args:
        hidden_dim: Width of the hidden vectors (H).
        lstm_dim: Channels of each recurrent layer, both directions together.
        num_layers: Number of recurrent layers.
    """

    def __init__(self, *, hidden_dim: int, lstm_dim: int = 512, num_layers: int = 2) -> None:
        super().__init__()
        self.lstm = BidirectionalLstm(
            input_dim=hidden_dim + 1, width=lstm_dim, num_layers=num_layers
        )
        self.out = nn.Linear(lstm_dim, 1)

    def plan(
        self,
        hidden: Tensor,
        durations: Tensor,
        padding_mask: Tensor,
        num_frames: int | None = None,
    ) -> RangedPlan:
        """Predict the ranges and compute the weights of the phonemes in each frame.

        Args:
            hidden: (B, N, H).
            durations: (B, N) int64.
            padding_mask: (B, N) bool.
            num_frames: T of the plan; None: that of the longest row, which waits for the device.

        Raises:
            ValueError: The durations are not int64, or do not have the phonemes' shape.
        """
        check_durations(durations, padding_mask)
        durations = zero_padding(durations, padding_mask)
        lengths = durations.sum(1)
        longest = int(lengths.max()) if num_frames is None else num_frames
        frame_padding = padding_mask_from_lengths(lengths, longest)
        weights = _weights(durations, self._ranges(hidden, durations, padding_mask), longest)
        weights = zero_padding(weights, frame_padding).to(hidden.dtype)
        return RangedPlan(lengths, frame_padding, durations, weights)

    def expand(self, plan: Plan, x: Tensor) -> Tensor:
        """Blend a tensor from phonemes into frames.

        Shape:
            x: (B, N, C). Returns: (B, T, C).
        """
        if not isinstance(plan, RangedPlan):
            raise TypeError(
                f"`plan` must be a `RangedPlan`, not a `{type(plan).__name__}`; call `plan` of "
                f"the same regulator."
            )
        if x.dim() != 3 or x.shape[:2] != plan.durations.shape:
            raise ValueError(
                f"`x` must be of shape {tuple(plan.durations.shape)} and channels, as the plan's "
                f"phonemes are, not {tuple(x.shape)}."
            )
        # 0 · NaN is NaN, so a weight of 0 does not hide what an absent phoneme contains.
        return plan.weights.to(x.dtype) @ zero_padding(x, plan.durations == 0)

    def _ranges(self, hidden: Tensor, durations: Tensor, padding_mask: Tensor) -> Tensor:
        """Return the standard deviations (B, N) in frames, in float32 at least."""
        x = torch.cat([hidden, durations.unsqueeze(2).to(hidden.dtype)], dim=2)
        # (B, N, 1) -> (B, N)
        ranges = self.out(self.lstm(x, padding_mask)).squeeze(2)
        ranges = ranges.to(torch.promote_types(ranges.dtype, torch.float32))
        return F.softplus(ranges) + LEAST_RANGE


def _weights(durations: Tensor, ranges: Tensor, num_frames: int) -> Tensor:
    """Return the weights (B, T, N); a row without frames has NaN, which the caller masks.

    Distances are measured in half frames and in int64, so that they are exact.
    """
    frames = 2 * torch.arange(1, num_frames + 1, device=durations.device)
    centres = 2 * durations.cumsum(1) - durations
    # (T, 1) - (B, 1, N) -> (B, T, N)
    distances = (frames.unsqueeze(1) - centres.unsqueeze(1)).to(ranges.dtype) / 2
    ranges = ranges.unsqueeze(1)
    energies = -(distances / ranges).square() / 2 - ranges.log()
    return energies.masked_fill((durations == 0).unsqueeze(1), -torch.inf).softmax(2)
