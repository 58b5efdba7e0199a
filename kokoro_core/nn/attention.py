"""Multi-head attention with any positional encoding, and with a cache."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.contracts import PositionalEncoding
from kokoro_core.kernels.blockwise_attention import attend_in_blocks, prefer_blockwise
from kokoro_core.kernels.decoding import prepare_for_decoding, with_children
from kokoro_core.kernels.linear import Linear
from kokoro_core.kernels.single_query import prefer_single_query, single_query
from kokoro_core.tensors.masks import add_bias, attend_mask, can_look_inside, causal_mask


@dataclass(frozen=True)
class AttentionScope:
    """Who may look at whom and from where: made once for all layers of a stack.

    Attributes:
        positional_encoding: Of the stack; layers get it here and never register it.
        q_positions: (Tq,) int64.
        k_positions: (Tk,) int64.
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
        q_positions: (Tq,). k_positions: (Tk,). key_padding_mask: (B, Tk) bool, True = padding.
        bias: broadcastable to (B, heads, Tq, Tk), added to the scores besides the encoding's.
    """
    positional_encoding = positional_encoding.for_one_pass()
    bias = add_bias(bias, positional_encoding.bias(q_positions, k_positions))
    attend = None if key_padding_mask is None else attend_mask(key_padding_mask)
    square = q_positions.shape[0] == k_positions.shape[0]
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

    joined: nn.Module | None

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
                f"{hidden_dim} / {num_heads} is no integer."
            )
        self.num_heads = num_heads
        self.head_dim = hidden_dim // num_heads
        self.dropout = dropout
        self.may_join = memory_dim in (None, hidden_dim)
        self.query = Linear(hidden_dim, hidden_dim)
        self.key_value = Linear(memory_dim or hidden_dim, 2 * hidden_dim)
        self.out = Linear(hidden_dim, hidden_dim)
        # Queries, keys and values in one, for self-attention step by step; only views have it.
        self.register_module("joined", None)
        self._initialise()

    def _initialise(self) -> None:
        """Draw each square matrix for itself (Glorot and Bengio, 2010); biases start at 0."""
        for weight in (self.query.weight, *self.key_value.weight.chunk(2), self.out.weight):
            nn.init.xavier_uniform_(weight)
        for layer in (self.query, self.key_value, self.out):
            nn.init.zeros_(layer.bias)

    def prepare_for_decoding(self, *, rows: int) -> MultiheadAttention:
        """Return a view of this block for steps of so many rows, its weights laid out for that.

        In the view `project` is one matrix product; `project_memory` is as it was.
        """
        out = prepare_for_decoding(self.out, rows=rows)
        if not self.may_join:
            return with_children(self, query=prepare_for_decoding(self.query, rows=rows), out=out)
        return with_children(
            self, joined=prepare_for_decoding(self.query, self.key_value, rows=rows), out=out
        )

    def for_cross_steps(self, *, rows: int) -> MultiheadAttention:
        """Return a view of this block for attending step by step to a memory projected already."""
        query, out = (
            prepare_for_decoding(self.query, rows=rows),
            prepare_for_decoding(self.out, rows=rows),
        )
        return with_children(self, query=query, out=out)

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
        if self.joined is None:
            queries = self._split_heads(self.query(x))
            keys, values = (self._split_heads(part) for part in self.key_value(x).chunk(2, -1))
        else:
            # (B, T, 3 H) -> (B, T, 3, heads, H/heads) -> (3, B, heads, T, H/heads)
            three = self.joined(x).view(*x.shape[:2], 3, self.num_heads, self.head_dim)
            queries, keys, values = three.permute(2, 0, 3, 1, 4).unbind(0)
        queries, keys = positional_encoding.rotate(queries, keys, positions, positions)
        return queries, keys, values

    def project_memory(
        self, memory: Tensor, positional_encoding: PositionalEncoding, positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return keys, turned by their positions, and values: what a cache holds.

        Shape:
            memory: (B, T, memory_dim). Returns: two tensors (B, heads, T, H/heads).
        """
        keys, values = self.key_value(memory).chunk(2, dim=-1)
        keys, values = self._split_heads(keys), self._split_heads(values)
        _, keys = positional_encoding.rotate(keys[:, :, :0], keys, positions[:0], positions)
        return keys, values

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, scope: AttentionScope) -> Tensor:
        """Attend from x to keys and values that are projected already.

        Shape:
            x: (B, Tq, H). keys, values: (B, heads, Tk, H/heads). Returns: (B, Tq, H).
        """
        encoding, at = scope.positional_encoding, scope.q_positions
        queries = self._split_heads(self.query(x))
        queries, _ = encoding.rotate(queries, queries[:, :, :0], at, at[:0])
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
        content = encoding.content_bias(queries, at, of)
        in_the_open = encoding.uses_weights or prefer_single_query(queries)
        mask, is_causal = scope.mask, scope.is_causal
        if is_causal and (content is not None or in_the_open):
            mask, is_causal = causal_mask(at, of), False
        mask = add_bias(mask, content)
        dropout = self.dropout if self.training else 0.0
        if not in_the_open and prefer_blockwise(queries, keys, mask, dropout):
            result = attend_in_blocks(
                queries, keys, values, mask, is_causal=is_causal, dropout=dropout
            )
        elif not in_the_open:
            result = F.scaled_dot_product_attention(
                queries, keys, values, attn_mask=mask, dropout_p=dropout, is_causal=is_causal
            )
        elif queries.shape[2] == 1 and not encoding.uses_weights and dropout == 0:
            result = single_query(queries, keys, values, mask)
        else:
            result = self._weigh(queries, keys, values, mask, dropout, scope)
        # (B, heads, Tq, H/heads) -> (B, Tq, H)
        merged: Tensor = self.out(result.transpose(1, 2).flatten(2))
        return merged

    def _weigh(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None,
        dropout: float,
        scope: AttentionScope,
    ) -> Tensor:
        """Attend with the weights in the open, where an encoding or the processor asks for it."""
        scores = (queries / math.sqrt(self.head_dim)) @ keys.transpose(-2, -1)
        if mask is not None and mask.dtype is torch.bool:
            # As something to add, which costs nothing on the way back, the mask is still small.
            mask = add_bias(mask, queries.new_zeros(()))
        if mask is not None:
            scores = scores + mask
        weights = _softmax(scores, mask)
        if dropout > 0:
            weights = F.dropout(weights, dropout)
        weights = weights.to(values.dtype)
        result = weights @ values
        if scope.positional_encoding.uses_weights:
            extra = scope.positional_encoding.values(weights, scope.q_positions, scope.k_positions)
            result = result if extra is None else result + extra
        return result

    def _split_heads(self, x: Tensor) -> Tensor:
        # (B, T, H) -> (B, heads, T, H/heads)
        return x.view(*x.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)


def _softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Return the weights of keys; a query that sees none has weights of 0, as in torch's kernels.

    The softmax of such a query is NaN, and so are all gradients behind it.

    Shape:
        scores: (B, heads, Tq, Tk). mask: what was added to them, broadcastable to it, or None.
    """
    if mask is None:
        return scores.softmax(-1)
    blind = mask.amax(-1, keepdim=True) == -math.inf
    if can_look_inside(blind) and not bool(blind.any()):
        return scores.softmax(-1)
    return scores.masked_fill(blind, 0).softmax(-1).masked_fill(blind, 0)
