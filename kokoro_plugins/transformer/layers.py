"""The layers of the transformer stacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from torch import Tensor, nn

from kokoro_core.kernels import Dropout
from kokoro_core.nn.attention import AttentionScope, MultiheadAttention
from kokoro_core.nn.cache import KeyValueCache
from kokoro_core.nn.feed_forward import FeedForward
from kokoro_core.tensors.repeats import Repeats


@dataclass(frozen=True)
class LayerSettings:
    """What every layer of a stack is made with.

    Attributes:
        hidden_dim: Width (H).
        num_heads: Attention heads.
        ff_dim: Width of the feed-forward block.
        dropout: Of attention weights, the feed-forward block and each block's result.
        norm: LayerNorm before each block (``pre``) or after it (``post``).
    """

    hidden_dim: int
    num_heads: int
    ff_dim: int
    dropout: float
    norm: Literal["pre", "post"]

    def attention(self) -> MultiheadAttention:
        """Return an attention block."""
        return MultiheadAttention(
            hidden_dim=self.hidden_dim, num_heads=self.num_heads, dropout=self.dropout
        )

    def feed_forward(self) -> FeedForward:
        """Return a feed-forward block."""
        return FeedForward(hidden_dim=self.hidden_dim, ff_dim=self.ff_dim, dropout=self.dropout)

    def final_norm(self) -> nn.Module:
        """Return what closes the stack: a LayerNorm if the layers' results are not normed."""
        return nn.LayerNorm(self.hidden_dim) if self.norm == "pre" else nn.Identity()


@final
class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each with a residual connection."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.pre = settings.norm == "pre"
        self.self_attention = settings.attention()
        self.feed_forward = settings.feed_forward()
        self.attention_norm = nn.LayerNorm(settings.hidden_dim)
        self.feed_forward_norm = nn.LayerNorm(settings.hidden_dim)
        self.dropout = Dropout(settings.dropout)

    def forward(self, x: Tensor, scope: AttentionScope) -> Tensor:
        """Run the layer.

        Shape:
            x: (B, T, H). Returns: (B, T, H).
        """
        if self.pre:
            inner = self.attention_norm(x)
            x = x + self.dropout(self.self_attention(inner, inner, scope))
            return _add_feed_forward(self, x)
        x = self.attention_norm(x + self.dropout(self.self_attention(x, x, scope)))
        return _add_feed_forward(self, x)


@final
class DecoderLayer(nn.Module):
    """Self-attention, cross-attention and feed-forward, each with a residual connection."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.pre = settings.norm == "pre"
        self.self_attention = settings.attention()
        self.cross_attention = settings.attention()
        self.feed_forward = settings.feed_forward()
        self.attention_norm = nn.LayerNorm(settings.hidden_dim)
        self.cross_norm = nn.LayerNorm(settings.hidden_dim)
        self.feed_forward_norm = nn.LayerNorm(settings.hidden_dim)
        self.dropout = Dropout(settings.dropout)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | Sequence[Repeats],
        scope: AttentionScope,
        cross_scope: AttentionScope,
    ) -> Tensor:
        """Run the layer over all frames at once.

        Shape:
            x: (B, T, H). memory: (B, Tm, H), or the rows whose sums that is. Returns: (B, T, H).
        """
        inner = self.attention_norm(x) if self.pre else x
        attended = self.self_attention(inner, inner, scope)
        keys, values = self.cross_attention.project_memory(
            memory, cross_scope.positional_encoding, cross_scope.k_positions
        )
        return self._finish(x, attended, keys, values, cross_scope)

    def step(
        self,
        x: Tensor,
        own: KeyValueCache,
        memory: KeyValueCache,
        scope: AttentionScope,
        cross_scope: AttentionScope,
        start: int,
        at: Tensor | None = None,
    ) -> Tensor:
        """Run the layer over the next K groups, remembering their keys and values in `own`.

        Args:
            x: (B, K, H).
            own: Of the groups so far.
            memory: Of the memory.
            scope: From the K groups to all that `own` has room for.
            cross_scope: From the K groups to the memory.
            start: Groups so far, of the row that has most.
            at: (B, K) int64, where each row's groups go in `own`; None: all from `start` on.
        """
        inner = self.attention_norm(x) if self.pre else x
        queries, keys, values = self.self_attention.project(
            inner, scope.positional_encoding, scope.q_positions
        )
        keys, values = own.write(keys, values, start, at)
        attended = self.self_attention.attend_heads(queries, keys, values, scope)
        return self._finish(x, attended, memory.keys, memory.values, cross_scope)

    def _finish(
        self, x: Tensor, attended: Tensor, keys: Tensor, values: Tensor, scope: AttentionScope
    ) -> Tensor:
        """Add what self-attention found, then cross-attention and feed-forward."""
        x = x + self.dropout(attended)
        if self.pre:
            x = x + self.dropout(
                self.cross_attention.attend(self.cross_norm(x), keys, values, scope)
            )
            return _add_feed_forward(self, x)
        x = self.attention_norm(x)
        x = self.cross_norm(x + self.dropout(self.cross_attention.attend(x, keys, values, scope)))
        return _add_feed_forward(self, x)


def _add_feed_forward(layer: EncoderLayer | DecoderLayer, x: Tensor) -> Tensor:
    """Add what the feed-forward block makes, with the norm on the layer's side of it."""
    if layer.pre:
        x = x + layer.dropout(layer.feed_forward(layer.feed_forward_norm(x)))
    else:
        x = layer.feed_forward_norm(x + layer.dropout(layer.feed_forward(x)))
    return x
