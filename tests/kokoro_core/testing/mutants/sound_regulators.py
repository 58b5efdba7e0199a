"""Sound regulators, with seams for mutants."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import Plan, Regulator
from kokoro_core.tensors.pytree import register_pytree
from tests.kokoro_core.testing.mutants.blocks import require, zeroed


@register_pytree
@dataclass(frozen=True)
class SharePlan(Plan):
    """A plan with the share of each phoneme in each frame, (B, T, N)."""

    shares: Tensor


class Repeat(Regulator):
    """Repeats each vector for as many frames as its phoneme lasts."""

    def plan(
        self,
        hidden: Tensor,
        durations: Tensor,
        padding_mask: Tensor,
        num_frames: int | None = None,
    ) -> Plan:
        """Plan the frames of hidden (B, N, H)."""
        require(hidden, padding_mask, 3, "hidden")
        self.refuse(durations, padding_mask)
        durations = self.cleaned(durations, padding_mask)
        lengths = self.lengths(durations)
        width = int(lengths.max()) if num_frames is None else num_frames
        frames = torch.arange(width, device=hidden.device)
        shares = self.shares(frames, durations, hidden.dtype)
        beyond = frames >= lengths.unsqueeze(1)
        return SharePlan(lengths, beyond, durations, shares)

    def refuse(self, durations: Tensor, padding_mask: Tensor) -> None:
        """Refuse durations that are no whole numbers, that are negative, or of another shape.

        Raises:
            ValueError: They are one of these.
        """
        if durations.dtype is not torch.int64 or durations.shape != padding_mask.shape:
            raise ValueError(f"`durations` must be int64 and {padding_mask.shape}.")
        if not torch.compiler.is_compiling() and bool((durations < 0).any()):
            raise ValueError("`durations` must not be negative.")

    def cleaned(self, durations: Tensor, padding_mask: Tensor) -> Tensor:
        """Return durations that are 0 at padding."""
        return zeroed(durations, padding_mask)

    def lengths(self, durations: Tensor) -> Tensor:
        """Return the frames of each row."""
        return durations.sum(1)

    def shares(self, frames: Tensor, durations: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the share of each phoneme in each frame, (B, T, N)."""
        ends = durations.cumsum(1).unsqueeze(1)
        starts = ends - durations.unsqueeze(1)
        at = frames.unsqueeze(1)
        return ((at >= starts) & (at < ends)).to(dtype)

    def expand(self, plan: Plan, x: Tensor) -> Tensor:
        """Expand x (B, N, C) to (B, T, C)."""
        assert isinstance(plan, SharePlan)
        absent = plan.durations == 0
        return self.finish(plan.shares.to(x.dtype) @ zeroed(x, absent), plan)

    def finish(self, memory: Tensor, plan: Plan) -> Tensor:
        """Return the memory."""
        return zeroed(memory, plan.padding_mask)


class Blend(Repeat):
    """Blends the vectors of the phonemes around each frame."""

    def shares(self, frames: Tensor, durations: Tensor, dtype: torch.dtype) -> Tensor:
        """Return a softmax over distances from the phonemes' middles."""
        wide = torch.promote_types(dtype, torch.float32)
        middles = self.middles(durations).to(wide).unsqueeze(1)
        distances = (self.times(frames, wide).unsqueeze(1) - middles).square()
        energies = (-0.3 * distances).masked_fill(self.absent(durations), float("-inf"))
        alone = (durations == 0).all(1)[:, None, None]
        return self.normal(energies.masked_fill(alone, 0)).to(dtype)

    def times(self, frames: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the middles of the frames."""
        return frames.to(dtype) + 0.5

    def middles(self, durations: Tensor) -> Tensor:
        """Return the middles of the phonemes."""
        return durations.cumsum(1) - durations / 2

    def absent(self, durations: Tensor) -> Tensor:
        """Return the phonemes that take no part, (B, 1, N)."""
        return (durations == 0).unsqueeze(1)

    def normal(self, energies: Tensor) -> Tensor:
        """Return weights that sum to 1."""
        return energies.softmax(2)


class LearnedRanges(Repeat):
    """A normal density around the middle of each phoneme (Non-Attentive Tacotron).

    How wide it is follows from the phoneme's vector.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.range = nn.Linear(width, 1)

    def plan(
        self,
        hidden: Tensor,
        durations: Tensor,
        padding_mask: Tensor,
        num_frames: int | None = None,
    ) -> Plan:
        """Plan the frames of hidden (B, N, H)."""
        made = super().plan(hidden, durations, padding_mask, num_frames)
        ranges = F.softplus(self.range(zeroed(hidden, padding_mask))).squeeze(-1) + 0.1
        absent = (durations == 0) | padding_mask
        shares = self.densities(made.padding_mask.shape[1], durations, ranges, absent)
        return SharePlan(made.lengths, made.padding_mask, made.durations, shares)

    def densities(self, width: int, durations: Tensor, ranges: Tensor, absent: Tensor) -> Tensor:
        """Return the share of each phoneme in each frame, (B, T, N)."""
        wide = torch.promote_types(ranges.dtype, torch.float32)
        middles = (durations.cumsum(1) - durations / 2).to(wide).unsqueeze(1)
        times = torch.arange(width, device=durations.device).to(wide)[None, :, None] + 0.5
        scale = ranges.to(wide).unsqueeze(1)
        energies = -((times - middles) / scale).square() / 2 - scale.log()
        energies = energies.masked_fill(absent.unsqueeze(1), float("-inf"))
        alone = absent.all(1)[:, None, None]
        return energies.masked_fill(alone, 0).softmax(2).to(ranges.dtype)
