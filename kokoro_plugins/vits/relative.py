"""`RelativeWindow`: keys and values of distances, learned near by and absent beyond."""

from __future__ import annotations

import math
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import PositionalEncoding


@final
class RelativeWindow(PositionalEncoding):
    """A key and a value for each distance up to a limit, none beyond (Shaw et al., 2018).

    All heads of a layer share them.

    Args:
        window: The largest distance that has a key and a value.
        head_dim: Width of a head.
    """

    uses_weights: ClassVar[bool] = True

    def __init__(self, *, window: int, head_dim: int) -> None:
        super().__init__()
        self.of_keys = nn.Parameter(torch.empty(2 * window + 1, head_dim))
        self.of_values = nn.Parameter(torch.empty(2 * window + 1, head_dim))
        for each in (self.of_keys, self.of_values):
            nn.init.normal_(each, std=head_dim**-0.5)

    def content_bias(self, q: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        """Return q · key / √d of each pair that is near enough, 0 for others.

        Shape:
            q: (B, heads, Tq, d). Returns: (B, heads, Tq, Tk).
        """
        index, near = self._distances(q_positions, k_positions)
        by_distance = q @ self.of_keys.t() / math.sqrt(q.shape[3])
        # (B, heads, Tq, 2w + 1) -> (B, heads, Tq, Tk)
        bias = by_distance.gather(3, index.expand(*q.shape[:2], *index.shape))
        return bias.masked_fill(~near, 0)

    def values(self, weights: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        """Return the values of the distances, weighed as their keys are.

        Shape:
            weights: (B, heads, Tq, Tk). Returns: (B, heads, Tq, d).
        """
        index, near = self._distances(q_positions, k_positions)
        summed = weights.new_zeros(*weights.shape[:3], len(self.of_values))
        # (B, heads, Tq, Tk) -> (B, heads, Tq, 2w + 1)
        summed = summed.scatter_add(3, index.expand_as(weights), weights.masked_fill(~near, 0))
        return summed @ self.of_values

    def _distances(self, q_positions: Tensor, k_positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the row of each pair's distance in the tables, and whether it has one, (Tq, Tk).

        Distances beyond the window get a row as well, which must not be used.
        """
        window = len(self.of_keys) // 2
        distance = k_positions - q_positions.unsqueeze(1)
        near = distance.abs() <= window
        return distance.clamp(-window, window) + window, near
