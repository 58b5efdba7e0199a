"""`GaussianRegulator`: each frame is a blend of the phonemes around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import torch
from torch import Tensor

from kokoro_core.contracts import Plan, Regulator
from kokoro_core.tensors.durations import check_durations
from kokoro_core.tensors.masks import padding_mask_from_lengths, zero_padding
from kokoro_core.tensors.pytree import register_pytree


@register_pytree
@dataclass(frozen=True)
class GaussianPlan(Plan):
    """A plan with the weight of each phoneme in each frame.

    Attributes:
        weights: (B, T, N); they sum to 1 for each frame, and are 0 at padding.
    """

    weights: Tensor


@final
class GaussianRegulator(Regulator):
    """Gaussian upsampling with a fixed temperature.

    The weights are a softmax over the phonemes of -delta · (t - c)², where phoneme n has its centre
    at c = cumsum(d) - d/2 and t is 0 … T-1 (EATS, Donahue et al., 2021, section 2.2; delta as in
    ``GaussianUpsampling`` of JETS, Lim et al., 2022, espnet2/gan_tts/jets/length_regulator.py).

    A phoneme of 0 frames has no weight, as in a regulator that repeats. JETS includes it, although
    it is then the nearest of all at its position; the durations of its alignment are never 0.

    Args:
        delta: Temperature, in 1 / frames².
        frame_time: ``start`` measures from t as JETS does, ``middle`` from t + 1/2.
    """

    def __init__(
        self, *, delta: float = 0.1, frame_time: Literal["start", "middle"] = "start"
    ) -> None:
        super().__init__()
        self.delta = delta
        self.frame_time = frame_time

    def plan(
        self,
        hidden: Tensor,
        durations: Tensor,
        padding_mask: Tensor,
        num_frames: int | None = None,
    ) -> GaussianPlan:
        """Compute the weights of the phonemes in each frame.

        Args:
            hidden: (B, N, H); only its dtype matters.
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
        weights = self._weights(durations, longest, torch.promote_types(hidden.dtype, torch.float))
        weights = zero_padding(weights, frame_padding).to(hidden.dtype)
        return GaussianPlan(lengths, frame_padding, durations, weights)

    def expand(self, plan: Plan, x: Tensor) -> Tensor:
        """Blend a tensor from phonemes into frames.

        Shape:
            x: (B, N, C). Returns: (B, T, C).
        """
        if not isinstance(plan, GaussianPlan):
            raise TypeError(
                f"`plan` must be a `GaussianPlan`, not a `{type(plan).__name__}`; call `plan` of "
                f"the same regulator."
            )
        if x.dim() != 3 or x.shape[:2] != plan.durations.shape:
            raise ValueError(
                f"`x` must be of shape {tuple(plan.durations.shape)} and channels, as the plan's "
                f"phonemes are, not {tuple(x.shape)}."
            )
        # 0 · NaN is NaN, so a weight of 0 does not hide what an absent phoneme contains.
        return plan.weights.to(x.dtype) @ zero_padding(x, plan.durations == 0)

    def _weights(self, durations: Tensor, num_frames: int, dtype: torch.dtype) -> Tensor:
        """Return the weights (B, T, N); a row without frames has NaN, which the caller masks.

        Distances are measured in half frames and in int64, so that a difference of two squares is
        exact: in float32, squares of a few thousand frames are off by whole units.
        """
        half = 1 if self.frame_time == "middle" else 0
        frames = 2 * torch.arange(num_frames, device=durations.device) + half
        centres = 2 * durations.cumsum(1) - durations
        # (T, 1) - (B, 1, N) -> (B, T, N)
        squares = (frames.unsqueeze(1) - centres.unsqueeze(1)).square()
        absent = (durations == 0).unsqueeze(1)
        nearest = squares.masked_fill(absent, torch.iinfo(torch.int64).max).amin(2, keepdim=True)
        # Subtracted before the cast, while it is exact; softmax is invariant to the shift.
        energies = (squares - nearest).to(dtype) * (-self.delta / 4)
        return energies.masked_fill(absent, -torch.inf).softmax(2)
