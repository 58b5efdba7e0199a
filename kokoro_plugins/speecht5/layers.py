"""The layers of both stacks: LayerNorm after each block, GELU in the feed-forward block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels import Dropout, Linear
from kokoro_core.nn.attention import AttentionScope, MultiheadAttention
from kokoro_core.nn.cache import KeyValueCache
from kokoro_plugins.speecht5.guide import Guide


@dataclass(frozen=True)
class LayerSettings:
    """What every layer of a stack is made with.

    Attributes:
        hidden_dim: Width (H).
        num_heads: Attention heads.
        ff_dim: Width of the feed-forward block.
        dropout: Of attention weights, the feed-forward block and each block's result.
    """

    hidden_dim: int
    num_heads: int
    ff_dim: int
    dropout: float

    def attention(self) -> MultiheadAttention:
        """Return an attention block."""
        return MultiheadAttention(
            hidden_dim=self.hidden_dim, num_heads=self.num_heads, dropout=self.dropout
        )


@final
class GeluFeedForward(nn.Module):
    """Linear, GELU (Hendrycks and Gimpel, 2016), dropout, linear."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.inner = Linear(settings.hidden_dim, settings.ff_dim)
        self.outer = Linear(settings.ff_dim, settings.hidden_dim)
        self.dropout = Dropout(settings.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, H) of x (B, T, H)."""
        result: Tensor = self.outer(self.dropout(F.gelu(self.inner(x))))
        return result


@final
class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each with a residual connection and a norm after it."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.self_attention = settings.attention()
        self.attention_norm = nn.LayerNorm(settings.hidden_dim)
        self.feed_forward = GeluFeedForward(settings)
        self.feed_forward_norm = nn.LayerNorm(settings.hidden_dim)
        self.dropout = Dropout(settings.dropout)

    def forward(self, x: Tensor, scope: AttentionScope) -> Tensor:
        """Return (B, N, H) of x (B, N, H)."""
        x = self.attention_norm(x + self.dropout(self.self_attention(x, x, scope)))
        result: Tensor = self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))
        return result


@final
class DecoderLayer(nn.Module):
    """Self-attention, cross-attention and feed-forward, each with a residual and a norm after."""

    def __init__(self, settings: LayerSettings) -> None:
        super().__init__()
        self.self_attention = settings.attention()
        self.attention_norm = nn.LayerNorm(settings.hidden_dim)
        self.cross_attention = settings.attention()
        self.cross_norm = nn.LayerNorm(settings.hidden_dim)
        self.feed_forward = GeluFeedForward(settings)
        self.feed_forward_norm = nn.LayerNorm(settings.hidden_dim)
        self.dropout = Dropout(settings.dropout)

    def forward(
        self,
        both: tuple[Tensor, Tensor],
        memory: Tensor,
        scope: AttentionScope,
        cross_scope: AttentionScope,
        guide: Guide | None,
    ) -> tuple[Tensor, Tensor]:
        """Run the layer over all groups at once.

        Args:
            both: x (B, G, H), and what the layers before strayed from the diagonal, ().
            memory: (B, N, H).
            scope: From the groups to those before them.
            cross_scope: From the groups to the memory.
            guide: Says how far attention strays; None: nobody wants to know.

        Returns:
            As `both`.
        """
        x, strayed = both
        keys, values = self.cross_attention.project_memory(
            memory, cross_scope.positional_encoding, cross_scope.k_positions
        )
        x = self.attention_norm(x + self.dropout(self.self_attention(x, x, scope)))
        if guide is not None:
            strayed = strayed + guide.strayed(self._split(self.cross_attention.query(x)), keys)
        return self._finish(x, keys, values, cross_scope), strayed

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
        queries, keys, values = self.self_attention.project(
            x, scope.positional_encoding, scope.q_positions
        )
        keys, values = own.write(keys, values, start, at)
        attended = self.self_attention.attend_heads(queries, keys, values, scope)
        x = self.attention_norm(x + self.dropout(attended))
        return self._finish(x, memory.keys, memory.values, cross_scope)

    def _finish(self, x: Tensor, keys: Tensor, values: Tensor, scope: AttentionScope) -> Tensor:
        crossed = self.cross_attention.attend(x, keys, values, scope)
        x = self.cross_norm(x + self.dropout(crossed))
        result: Tensor = self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))
        return result

    def _split(self, queries: Tensor) -> Tensor:
        # (B, G, H) -> (B, heads, G, H/heads)
        heads = self.cross_attention.num_heads
        return queries.view(*queries.shape[:2], heads, -1).transpose(1, 2)
