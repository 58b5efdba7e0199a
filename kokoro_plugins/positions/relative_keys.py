"""`RelativeKeys`: keys that depend on how far the query stands from them."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.contracts import PositionalEncoding
from kokoro_core.tensors.masks import add_bias


@final
class RelativeKeys(PositionalEncoding):
    """A learned vector a distance, added to the keys (Shaw et al., 2018, section 3.2).

    All heads and layers share the vectors, as in SpeechT5 (Ao et al., 2022). The distance is the
    query's position less the key's; those below -D or above D - 1 count as these.

    Args:
        head_dim: Channels of one head.
        max_distance: D.
        absolute: An encoding that is used besides, or None.
    """

    def __init__(
        self, *, head_dim: int, max_distance: int = 160, absolute: PositionalEncoding | None = None
    ) -> None:
        super().__init__()
        self.max_distance = max_distance
        self.table = nn.Embedding(2 * max_distance, head_dim)
        nn.init.normal_(self.table.weight, std=0.02)
        self.absolute = absolute or PositionalEncoding()
        self.max_len = self.absolute.max_len
        self.uses_weights = self.absolute.uses_weights  # type: ignore[misc]

    def add(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x (B, T, H) with what the other encoding adds."""
        return self.absolute.add(x, positions)

    def rotate(
        self, q: Tensor, k: Tensor, q_positions: Tensor, k_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return queries and keys as the other encoding turns them."""
        return self.absolute.rotate(q, k, q_positions, k_positions)

    def bias(self, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return the other encoding's bias."""
        return self.absolute.bias(q_positions, k_positions)

    def content_bias(self, q: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor:
        """Return the scores of the queries and the vectors of their distances.

        Shape:
            q: (B, heads, Tq, C). Positions: (T,) or (B, T) int64. Returns: (B, heads, Tq, Tk).
        """
        far = self.max_distance
        distance = q_positions.unsqueeze(-1) - k_positions.unsqueeze(-2)
        # (Tq, Tk) or (B, Tq, Tk) -> (…, 1, Tq, Tk), shared by the heads
        index = (distance.clamp(-far, far - 1) + far).unsqueeze(-3)
        # Each query meets the few distances that there are, not a vector for each key.
        by_distance = (q * q.shape[3] ** -0.5) @ self.table.weight.T
        own = torch.gather(by_distance, 3, index.expand(*q.shape[:3], -1))
        both = add_bias(self.absolute.content_bias(q, q_positions, k_positions), own)
        assert both is not None
        return both

    def values(self, weights: Tensor, q_positions: Tensor, k_positions: Tensor) -> Tensor | None:
        """Return what the other encoding adds to the result."""
        return self.absolute.values(weights, q_positions, k_positions)
