"""Rational-quadratic splines (Neural Spline Flows, Durkan et al., 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST = 1e-3
"""The least share of a bin, and the least slope at a knot."""


@dataclass(frozen=True)
class Spline:
    """A monotonic piecewise function from [-bound, bound] onto itself, the identity outside.

    Attributes:
        x: (…, K + 1), where the bins begin and end.
        y: (…, K + 1), the function there.
        slope: (…, K + 1), its derivative there, 1 at both ends.
        bound: The end of the interval.
    """

    x: Tensor
    y: Tensor
    slope: Tensor
    bound: float

    @classmethod
    def of(cls, settings: Tensor, *, bins: int, bound: float) -> Self:
        """Return the spline of unconstrained settings.

        Args:
            settings: (…, 3K - 1): widths and heights of the bins, and the inner slopes.
            bins: K.
            bound: The end of the interval.
        """
        widths, heights, slopes = settings.tensor_split([bins, 2 * bins], -1)
        inner = LEAST + F.softplus(slopes)
        return cls(
            _knots(widths, bound), _knots(heights, bound), F.pad(inner, (1, 1), value=1.0), bound
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the function of x and the log of its derivative, as x."""
        inside = x.abs() <= self.bound
        at = x.clamp(-self.bound, self.bound)
        left, below, width, height, before, after = self._bin(at, self.x)
        y = below + height * _risen((at - left) / width, height / width, before, after)
        log_slope = _log_slope((at - left) / width, height / width, before, after)
        return torch.where(inside, y, x), torch.where(inside, log_slope, 0)

    def inverse(self, y: Tensor) -> Tensor:
        """Return x of which y is the function, as y."""
        inside = y.abs() <= self.bound
        at = y.clamp(-self.bound, self.bound)
        left, below, width, height, before, after = self._bin(at, self.y)
        mean, rise = height / width, at - below
        bend = rise * (before + after - 2 * mean)
        a = height * (mean - before) + bend
        b = height * before - bend
        c = -mean * rise
        # It is not negative but by rounding, of which the root would be NaN.
        discriminant = (b.square() - 4 * a * c).clamp_min(0)
        x = left + width * (2 * c) / (-b - discriminant.sqrt())
        return torch.where(inside, x, y)

    def _bin(self, at: Tensor, knots: Tensor) -> tuple[Tensor, ...]:
        """Return where the bin of each place begins, its size, and the slopes at its ends."""
        # The last knot belongs to the last bin.
        index = (at.unsqueeze(-1) >= knots[..., 1:-1]).sum(-1, keepdim=True)
        left, right = _at(self.x, index)
        below, above = _at(self.y, index)
        return (left, below, right - left, above - below, *_at(self.slope, index))


def _at(knots: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is at both ends of a bin; knots (…, K + 1), index (…, 1)."""
    return knots.gather(-1, index).squeeze(-1), knots.gather(-1, index + 1).squeeze(-1)


def _knots(sizes: Tensor, bound: float) -> Tensor:
    """Return where bins begin and end, (…, K + 1), from unconstrained sizes (…, K)."""
    shares = LEAST + (1 - LEAST * sizes.shape[-1]) * sizes.softmax(-1)
    inner = 2 * bound * shares.cumsum(-1)[..., :-1] - bound
    return F.pad(F.pad(inner, (1, 0), value=-bound), (0, 1), value=bound)


def _risen(share: Tensor, mean: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Return the share of a bin's height at a share of its width."""
    rest = share * (1 - share)
    return (mean * share.square() + before * rest) / (mean + (before + after - 2 * mean) * rest)


def _log_slope(share: Tensor, mean: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Return the log of the derivative at a share of a bin's width."""
    rest = share * (1 - share)
    inner = after * share.square() + 2 * mean * rest + before * (1 - share).square()
    return 2 * mean.log() + inner.log() - 2 * (mean + (before + after - 2 * mean) * rest).log()
