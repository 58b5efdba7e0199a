"""`AttentionStep`: multi-head attention of one vector a row, with few calls."""

from __future__ import annotations

from typing import final

from torch import Tensor

from kokoro_core.contracts import PositionalEncoding
from kokoro_core.kernels import direct, single_query
from kokoro_core.nn.attention import AttentionScope, MultiheadAttention
from kokoro_core.tensors.masks import add_bias


@final
class AttentionStep:
    """What a `MultiheadAttention` computes for one vector a row, where nobody watches.

    The positional encoding must not use the weights, and nothing be dropped.

    Args:
        attention: Whose layers are called; laid out for decoding or not.
    """

    def __init__(self, attention: MultiheadAttention) -> None:
        self._heads, self._dim = attention.num_heads, attention.head_dim
        self._width = self._heads * self._dim
        self._query, self._out = direct(attention.query), direct(attention.out)
        key_value = attention._modules.get("key_value")  # None: it has become one with the queries
        self._key_value = None if key_value is None else direct(key_value)

    def project(self, x: Tensor, scope: AttentionScope) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of the same input, queries and keys turned.

        Shape:
            x: (B, H). Returns: three tensors (B, heads, 1, H/heads).
        """
        if self._key_value is None:
            # (B, 3 H) -> three of (B, heads, 1, H/heads)
            qkv = self._query(x).view(-1, 3, self._heads, 1, self._dim)
            queries, keys, values = qkv.unbind(1)
        else:
            queries = self._query(x).view(-1, self._heads, 1, self._dim)
            # (B, 2 H) -> two of (B, heads, 1, H/heads)
            both = self._key_value(x).view(-1, 2, self._heads, 1, self._dim)
            keys, values = both.unbind(1)
        at = scope.q_positions
        queries, keys = scope.positional_encoding.rotate(queries, keys, at, at)
        return queries, keys, values

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, scope: AttentionScope) -> Tensor:
        """Attend from x to keys and values that are projected already.

        Shape:
            x: (B, H). keys, values: (B, heads, Tk, H/heads). Returns: (B, H).
        """
        # (B, H) -> (B, heads, 1, H/heads)
        queries = self._query(x).view(-1, self._heads, 1, self._dim)
        encoding, at = scope.positional_encoding, scope.q_positions
        if type(encoding).rotate is not PositionalEncoding.rotate:
            queries, _ = encoding.rotate(queries, queries[:, :, :0], at, at[:0])
        return self.attend_heads(queries, keys, values, scope)

    def attend_heads(
        self, queries: Tensor, keys: Tensor, values: Tensor, scope: AttentionScope
    ) -> Tensor:
        """Attend with queries, keys and values that are all projected already.

        Shape:
            queries: (B, heads, 1, H/heads). keys, values: (B, heads, Tk, H/heads).
            Returns: (B, H).
        """
        encoding, at, of = scope.positional_encoding, scope.q_positions, scope.k_positions
        mask = add_bias(scope.mask, encoding.content_bias(queries, at, of))
        # (B, heads, 1, H/heads) -> (B, H)
        return self._out(single_query(queries, keys, values, mask).view(-1, self._width))
