"""Multi-head attention with any positional encoding, and with a cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from torch import Tensor, nn

from kokoro_core.contracts import PositionalEncoding
from kokoro_core.kernels import Linear, attention, halves, repeated_linear, side_by_side
from kokoro_core.tensors.masks import add_bias, attend_mask, causal_mask
from kokoro_core.tensors.repeats import Repeats


@dataclass(frozen=True)
class AttentionScope:
    """Who may look at whom and from where: made once for all layers of a stack.

    Attributes:
        positional_encoding: Of the stack; layers get it here and never register it.
        q_positions: (Tq,) int64, or (B, Tq) if rows differ.
        k_positions: (Tk,) or (B, Tk) int64.
        mask: What is added to the scores or may be attended to, as (B, heads, Tq, Tk) or
            broadcastable to it; None: everything may be.
        is_causal: True where `mask` is None and no query may see a later key.
    """

    positional_encoding: PositionalEncoding
    q_positions: Tensor
    k_positions: Tensor
    mask: Tensor | None = None
    is_causal: bool = False


def make_scope(
    positional_encoding: PositionalEncoding,
    q_positions: Tensor,
    k_positions: Tensor,
    *,
    key_padding_mask: Tensor | None = None,
    bias: Tensor | None = None,
    causal: bool = False,
) -> AttentionScope:
    """Return the scope of a stack, with the cheapest mask that says it all.

    Causal attention over right-padded rows needs no key padding mask: no valid query sees padding.

    Shape:
        q_positions: (Tq,), or (B, Tq) if rows differ. k_positions: (Tk,) or (B, Tk).
        key_padding_mask: (B, Tk) bool, True = padding.
        bias: broadcastable to (B, heads, Tq, Tk), added to the scores besides the encoding's.
    """
    positional_encoding = positional_encoding.for_one_pass()
    bias = add_bias(bias, positional_encoding.bias(q_positions, k_positions))
    attend = None if key_padding_mask is None else attend_mask(key_padding_mask)
    square = q_positions.shape == k_positions.shape and q_positions.dim() == 1
    if causal and square and bias is None and attend is None:
        return AttentionScope(positional_encoding, q_positions, k_positions, is_causal=True)
    if causal:
        seen = causal_mask(q_positions, k_positions)
        attend = seen if attend is None else seen & attend
    mask = add_bias(attend, bias)
    return AttentionScope(positional_encoding, q_positions, k_positions, mask)


@final
class MultiheadAttention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al., 2017, section 3.2).

    Args:
        hidden_dim: Width of queries and output (H).
        num_heads: Heads; must divide `hidden_dim`.
        memory_dim: Width of what is attended to; None: `hidden_dim`.
        dropout: Of the attention weights, in training.

    Raises:
        ValueError: `num_heads` does not divide `hidden_dim`.
    """

    def __init__(
        self,
        *,
        hidden_dim: int,
        num_heads: int,
        memory_dim: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if hidden_dim % num_heads:
            raise ValueError(
                f"`num_heads` must divide `hidden_dim`, but "
                f"{hidden_dim} / {num_heads} is not an integer."
            )
        self.num_heads = num_heads
        self.head_dim = hidden_dim // num_heads
        self.dropout = dropout
        self.query = Linear(hidden_dim, hidden_dim)
        self.key_value = Linear(memory_dim or hidden_dim, 2 * hidden_dim)
        self.out = Linear(hidden_dim, hidden_dim)
        self._initialise()

    def _initialise(self) -> None:
        """Draw each square matrix for itself (Glorot and Bengio, 2010); biases start at 0."""
        for weight in (self.query.weight, *self.key_value.weight.chunk(2), self.out.weight):
            nn.init.xavier_uniform_(weight)
        for layer in (self.query, self.key_value, self.out):
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, memory: Tensor, scope: AttentionScope) -> Tensor:
        """Attend from x to a memory; self-attention if they are the same.

        Shape:
            x: (B, Tq, H). memory: (B, Tk, memory_dim). Returns: (B, Tq, H).
        """
        keys, values = self.project_memory(memory, scope.positional_encoding, scope.k_positions)
        return self.attend(x, keys, values, scope)

    def project(
        self, x: Tensor, positional_encoding: PositionalEncoding, positions: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of the same input, queries and keys turned.

        Shape:
            x: (B, T, H). Returns: three tensors (B, heads, T, H/heads).
        """
        qkv = side_by_side(x, self.query, self.key_value)
        # (B, T, 3 H) -> (B, T, 3, heads, H/heads) -> (3, B, heads, T, H/heads)
        three = qkv.view(*x.shape[:2], 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        queries, keys, values = three.unbind(0)
        queries, keys = positional_encoding.rotate(queries, keys, positions, positions)
        return queries, keys, values

    def project_memory(
        self,
        memory: Tensor | Sequence[Repeats],
        positional_encoding: PositionalEncoding,
        positions: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Return keys, turned by their positions, and values: what a cache holds.

        Shape:
            memory: (B, T, memory_dim), or the rows of tables whose sums that is. Returns: two
            tensors (B, heads, T, H/heads).
        """
        if isinstance(memory, Tensor):
            both = self.key_value(memory)
        else:
            both = repeated_linear(self.key_value, memory)
        keys, values = halves(both)
        keys, values = self._split_heads(keys), self._split_heads(values)
        _, keys = positional_encoding.rotate(keys[:, :, :0], keys, positions[..., :0], positions)
        return keys, values

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, scope: AttentionScope) -> Tensor:
        """Attend from x to keys and values that are projected already.

        Shape:
            x: (B, Tq, H). keys, values: (B, heads, Tk, H/heads). Returns: (B, Tq, H).
        """
        encoding, at = scope.positional_encoding, scope.q_positions
        queries = self._split_heads(self.query(x))
        queries, _ = encoding.rotate(queries, queries[:, :, :0], at, at[..., :0])
        return self.attend_heads(queries, keys, values, scope)

    def attend_heads(
        self, queries: Tensor, keys: Tensor, values: Tensor, scope: AttentionScope
    ) -> Tensor:
        """Attend with queries, keys and values that are all projected already.

        Shape:
            queries: (B, heads, Tq, H/heads). keys, values: (B, heads, Tk, H/heads).
            Returns: (B, Tq, H).
        """
        encoding, at, of = scope.positional_encoding, scope.q_positions, scope.k_positions
        result, weights = attention(
            queries,
            keys,
            values,
            add_bias(scope.mask, encoding.content_bias(queries, at, of)),
            is_causal=scope.is_causal,
            dropout=self.dropout if self.training else 0.0,
            needs_weights=encoding.uses_weights,
        )
        if weights is not None and (extra := encoding.values(weights, at, of)) is not None:
            result = result + extra
        # (B, heads, Tq, H/heads) -> (B, Tq, H)
        merged: Tensor = self.out(result.transpose(1, 2).flatten(2))
        return merged

    def _split_heads(self, x: Tensor) -> Tensor:
        # (B, T, H) -> (B, heads, T, H/heads)
        return x.view(*x.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)
