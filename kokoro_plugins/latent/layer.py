"""`CausalLayer`: self-attention to what was before, and feed-forward."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from kokoro_core.kernels import Dropout
from kokoro_core.nn.attention import AttentionScope, MultiheadAttention
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.nn.feed_forward import FeedForward


@final
class CausalLayer(nn.Module):
    """A layer of the backbone, with LayerNorm before each block.

    Args:
        width: Channels.
        num_heads: Attention heads; must divide `width`.
        ff_dim: Width of the feed-forward block.
        dropout: Of attention weights, the feed-forward block and each block's result.
    """

    def __init__(self, *, width: int, num_heads: int, ff_dim: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = MultiheadAttention(
            hidden_dim=width, num_heads=num_heads, dropout=dropout
        )
        self.feed_forward = FeedForward(hidden_dim=width, ff_dim=ff_dim, dropout=dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, scope: AttentionScope) -> Tensor:
        """Run the layer over all groups at once.

        Shape:
            x: (B, G, W). Returns: (B, G, W).
        """
        inner = self.attention_norm(x)
        return self._finish(x, self.self_attention(inner, inner, scope))

    def step(
        self,
        x: Tensor,
        own: KeyValueCache,
        scope: AttentionScope,
        start: int,
        at: Tensor | None = None,
    ) -> Tensor:
        """Run the layer over the next K groups, remembering their keys and values in `own`.

        Args:
            x: (B, K, W).
            own: Of the groups so far.
            scope: From the K groups to all that `own` has room for.
            start: Groups so far, of the row that has most.
            at: (B, K) int64, where each row's groups go in `own`; None: all from `start` on.

        Returns:
            (B, K, W).
        """
        queries, keys, values = self.self_attention.project(
            self.attention_norm(x), scope.positional_encoding, scope.q_positions
        )
        keys, values = own.write(keys, values, start, at)
        return self._finish(x, self.self_attention.attend_heads(queries, keys, values, scope))

    def _finish(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + self.dropout(attended)
        result: Tensor = x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return result
