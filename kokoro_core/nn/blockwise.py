"""Attention for training on a CPU, in blocks that fit its cache.

torch's fused kernel for the CPU knows no dropout and is slow on the way back in bfloat16; without
it a (B, heads, Tq, Tk) tensor of weights lies in memory three times over. Here the weights exist
for a block of queries and heads at a time, and are made again on the way back, as in
FlashAttention (Dao et al., 2022, algorithms 1 and 4, there with the softmax in blocks too). Keys
that no query may see, past a row's end or to the right of a causal block, cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kokoro_core.masks import add_bias, causal_mask
from kokoro_core.nn.dropout import KeepMasks, draw_seed, draws_here

CACHE = 1 << 20
"""Weights of a block, at most: 4 MB in float32, which the cores' second-level caches hold."""
CAUSAL_QUERIES = 192
"""Queries of a causal block, at most: the smaller, the fewer keys to its right are computed."""


def blocks_serve(queries: Tensor, keys: Tensor, mask: Tensor | None, dropout: float) -> bool:
    """Return whether blocks beat the fused kernel: in training on a CPU, where it is slow.

    Without dropout it is as fast in float32. A mask that is learned needs its gradient, which
    blocks do not give.

    Shape:
        queries: (B, heads, Tq, H/heads). keys: (B, heads, Tk, H/heads).
    """
    trains = torch.is_grad_enabled() and (queries.requires_grad or keys.requires_grad)
    learned = mask is not None and mask.requires_grad
    slow = 0 < dropout < 1 or (dropout == 0 and queries.dtype is torch.bfloat16)
    return trains and slow and not learned and draws_here(queries)


def attend_in_blocks(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None,
    *,
    is_causal: bool = False,
    dropout: float = 0.0,
) -> Tensor:
    """Return what `scaled_dot_product_attention` returns; its derivative has no derivative.

    Shape:
        queries: (B, heads, Tq, H/heads). keys, values: (B, heads, Tk, H/heads). mask: broadcastable
        to (B, heads, Tq, Tk), bool with True = may attend, or added. Returns: as queries.
    """
    with torch.autocast("cpu", enabled=False):
        result: Tensor = _Blockwise.apply(  # type: ignore[no-untyped-call]
            queries, keys, values, mask, is_causal, dropout
        )
    return result


@dataclass(frozen=True)
class _Block:
    """Queries and heads of one row, and how many keys, from the first, they may see."""

    row: int
    heads: slice
    queries: slice
    num_keys: int


@dataclass(frozen=True)
class _Plan:
    """The blocks of a call, and what is added to their scores.

    Attributes:
        shape: (B, heads, Tq, Tk).
        ends: Keys of each row, from the first, that a query may see.
        bias: Broadcast to `shape`, or None where `ends` and causality say it all.
        is_causal: No query may see a later key.
    """

    shape: tuple[int, int, int, int]
    ends: list[int]
    bias: Tensor | None
    is_causal: bool

    @classmethod
    def of(cls, queries: Tensor, keys: Tensor, mask: Tensor | None, is_causal: bool) -> _Plan:
        """Find out which keys can be left out."""
        rows, heads, num_queries, _ = queries.shape
        num_keys = keys.shape[2]
        ends = _ends(mask, rows, num_keys)
        if ends is not None:
            mask = None
        bias = mask if mask is None else add_bias(mask, queries.new_zeros(()))
        shape = (rows, heads, num_queries, num_keys)
        return cls(
            shape=shape,
            ends=ends or [num_keys] * rows,
            bias=None if bias is None else bias.expand(shape),
            is_causal=is_causal,
        )

    def __iter__(self) -> Iterator[_Block]:
        rows, heads, num_queries, num_keys = self.shape
        most = CACHE // (2 * max(num_keys, 1)) or 1
        pieces = -(-num_queries // (min(most, CAUSAL_QUERIES) if self.is_causal else most))
        for row in range(rows):
            for piece in range(pieces):
                first, last = (num_queries * each // pieces for each in (piece, piece + 1))
                end = min(self.ends[row], last) if self.is_causal else self.ends[row]
                groups = -(-heads // max(1, CACHE // max((last - first) * end, 1)))
                for group in range(groups):
                    cut = slice(heads * group // groups, heads * (group + 1) // groups)
                    yield _Block(row, cut, slice(first, last), end)

    def weights(self, block: _Block, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the attention weights of a block; `queries` are scaled already.

        Shape:
            Returns: (heads, queries, keys) of the block.
        """
        scores = torch.bmm(
            queries[block.row, block.heads, block.queries],
            keys[block.row, block.heads, : block.num_keys].transpose(1, 2),
        )
        if self.bias is not None:
            scores += self.bias[block.row, block.heads, block.queries, : block.num_keys]
        if self.is_causal:
            first = min(block.queries.start, block.num_keys)
            at = torch.arange(block.queries.start, block.queries.stop)
            seen = causal_mask(at, torch.arange(first, block.num_keys))
            scores[:, :, first:] += torch.where(seen, 0.0, -torch.inf).to(scores.dtype)
        return scores.softmax(-1)


def _ends(mask: Tensor | None, rows: int, num_keys: int) -> list[int] | None:
    """Return each row's number of keys if a mask hides just those past it, else None."""
    if mask is None or mask.dtype is not torch.bool or mask.shape[:3] != (rows, 1, 1):
        return None
    # (B, 1, 1, Tk) -> (B, Tk)
    seen = mask[:, 0, 0]
    ends = seen.sum(1)
    if not torch.equal(seen, torch.arange(num_keys) < ends.unsqueeze(1)):
        return None
    found: list[int] = ends.tolist()
    return found


class _Blockwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None,
        is_causal: bool,
        dropout: float,
    ) -> Tensor:
        ctx.save_for_backward(queries, keys, values, mask)
        ctx.is_causal, ctx.dropout, ctx.seed = is_causal, dropout, draw_seed()
        result = queries.new_empty(*queries.shape[:3], values.shape[3])
        if result.is_meta:
            return result
        masks = KeepMasks(ctx.seed, dropout)
        scaled = queries / math.sqrt(queries.shape[-1])
        plan = _Plan.of(queries, keys, mask, is_causal)
        for block in plan:
            weights = plan.weights(block, scaled, keys)
            if dropout > 0:
                weights *= masks.next(tuple(weights.shape), weights.dtype)
            seen = values[block.row, block.heads, : block.num_keys]
            torch.bmm(weights, seen, out=result[block.row, block.heads, block.queries])
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys, values, mask = ctx.saved_tensors
        to_queries, to_keys, to_values = (x.new_zeros(x.shape) for x in (queries, keys, values))
        if grad.is_meta:
            return to_queries, to_keys, to_values, None, None, None
        masks = KeepMasks(ctx.seed, ctx.dropout)
        scale = 1 / math.sqrt(queries.shape[-1])
        scaled = queries * scale
        plan = _Plan.of(queries, keys, mask, ctx.is_causal)
        for block in plan:
            asked = (block.row, block.heads, block.queries)
            seen = (block.row, block.heads, slice(0, block.num_keys))
            weights = dropped = plan.weights(block, scaled, keys)
            to_weights = torch.bmm(grad[asked], values[seen].transpose(1, 2))
            if ctx.dropout > 0:
                kept = masks.next(tuple(weights.shape), weights.dtype)
                dropped = weights * kept
                to_weights *= kept
            to_values[seen].baddbmm_(dropped.transpose(1, 2), grad[asked])
            to_scores = torch.ops.aten._softmax_backward_data(
                to_weights, weights, -1, weights.dtype
            )
            torch.bmm(to_scores, keys[seen], out=to_queries[asked])
            to_keys[seen].baddbmm_(to_scores.transpose(1, 2), scaled[asked])
        return to_queries.mul_(scale), to_keys, to_values, None, None, None
