"""Attention for training on a CPU, in blocks that fit its cache.

torch's fused kernel for the CPU knows no dropout and is slow on the backward pass in bfloat16;
without it a (B, heads, Tq, Tk) tensor of weights lies in memory three times over. Here the weights
exist for a block of queries and heads at a time, and are made again on the backward pass, as in
FlashAttention (Dao et al., 2022, algorithms 1 and 4, there with the softmax in blocks too). Keys
that no query may see, past a row's end or to the right of a causal block, cost nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kokoro_core.kernels.attention_tiles import TilePlan, Workspace, arithmetic
from kokoro_core.kernels.dropout import DropoutMasks, draw_seed, uses_seeded_masks
from kokoro_core.kernels.halves import are_heads_of_halves, empty_halves

CACHE = 1 << 21
"""Bytes of a block of weights, at most: several such blocks fit a processor's caches."""


def prefer_blockwise(queries: Tensor, keys: Tensor, mask: Tensor | None, dropout: float) -> bool:
    """Return whether blocks beat the fused kernel: in training on a CPU, where it is slow.

    Without dropout it is as fast in float32. A mask that is learned needs its gradient, which
    blocks do not give.

    Shape:
        queries: (B, heads, Tq, H/heads). keys: (B, heads, Tk, H/heads).
    """
    trains = torch.is_grad_enabled() and (queries.requires_grad or keys.requires_grad)
    learned = mask is not None and mask.requires_grad
    slow = 0 < dropout < 1 or (dropout == 0 and queries.dtype is torch.bfloat16)
    return trains and slow and not learned and uses_seeded_masks(queries)


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


def _as_projected(x: Tensor, width: int) -> Tensor:
    """Return an empty tensor that lies in memory as a projection does: (B, T, heads, width).

    Shape:
        x: (B, heads, T, H/heads). Returns: (B, heads, T, width).
    """
    rows, heads, length, _ = x.shape
    return x.new_empty(rows, length, heads, width).transpose(1, 2)


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
        result = _as_projected(queries, values.shape[3])
        if result.is_meta:
            return result
        masks, workspace = DropoutMasks(ctx.seed, dropout), Workspace(arithmetic(queries.dtype))
        plan = TilePlan.of(queries, keys, mask, is_causal, CACHE)
        for rows in plan.groups():
            q = workspace.dense("queries", queries[rows], 1 / math.sqrt(queries.shape[-1]))
            k, v = (
                workspace.dense("keys", keys[rows], 1),
                workspace.dense("values", values[rows], masks.scale),
            )
            for each in (k, v):
                plan.blank(rows, each, 0)
            found = workspace.take("found", tuple(result[rows].shape))
            joined = found.flatten(0, 1)
            for block in plan.blocks(rows):
                weights = plan.weights(block, q, k, workspace.weights_of(block, "weights"))
                if dropout > 0:
                    kept = workspace.weights_of(block, "kept")
                    weights *= masks.write(kept)
                seen = v[block.heads, : block.num_keys]
                joined[block.heads, block.queries] = torch.bmm(weights, seen)
            result[rows].copy_(found)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys, values, mask = ctx.saved_tensors
        to_queries = _as_projected(queries, queries.shape[3])
        if are_heads_of_halves(keys, values):
            to_keys, to_values = empty_halves(keys)
        else:
            to_keys, to_values = (_as_projected(x, x.shape[3]) for x in (keys, values))
        results = to_queries, to_keys, to_values
        if not grad.is_meta:
            plan = TilePlan.of(queries, keys, mask, ctx.is_causal, CACHE)
            backward = _Backward(
                plan, DropoutMasks(ctx.seed, ctx.dropout), Workspace(arithmetic(queries.dtype))
            )
            for rows in plan.groups():
                backward.run(rows, (queries, keys, values), grad, results)
        return *results, None, None, None


@dataclass(frozen=True)
class _Backward:
    """The derivative of attention in blocks, some rows after the others."""

    plan: TilePlan
    masks: DropoutMasks
    workspace: Workspace

    def run(
        self, rows: slice, inputs: tuple[Tensor, ...], grad: Tensor, results: tuple[Tensor, ...]
    ) -> None:
        """Write the gradients of some rows' queries, keys and values.

        Shape:
            inputs, results: queries, keys and values, each (B, heads, T, H/heads).
        """
        workspace, scale = self.workspace, 1 / math.sqrt(inputs[0].shape[-1])
        q = workspace.dense("queries", inputs[0][rows], scale)
        k, v = (workspace.dense(name, x[rows], 1) for name, x in zip("kv", inputs[1:], strict=True))
        for each in (k, v):
            self.plan.blank(rows, each, 0)
        given = workspace.dense("grad", grad[rows], self.masks.scale)
        to_queries = workspace.take("to queries", tuple(q.shape))
        to_keys = workspace.take("to keys", tuple(k.shape)).zero_()
        to_values = workspace.take("to values", tuple(v.shape)).zero_()
        for block in self.plan.blocks(rows):
            asked, seen = (block.heads, block.queries), (block.heads, slice(0, block.num_keys))
            weights = dropped = self.plan.weights(
                block, q, k, workspace.weights_of(block, "weights")
            )
            to_weights = workspace.weights_of(block, "to weights")
            torch.bmm(given[asked], v[seen].transpose(1, 2), out=to_weights)
            if self.masks.p > 0:
                kept = self.masks.write(workspace.weights_of(block, "kept"))
                to_weights *= kept
                dropped = kept.mul_(weights)
            to_values[seen].baddbmm_(dropped.transpose(1, 2), given[asked])
            to_scores = torch.ops.aten._softmax_backward_data.out(
                to_weights, weights, -1, weights.dtype, grad_input=to_weights
            )
            to_queries[asked] = torch.bmm(to_scores, k[seen])
            to_keys[seen].baddbmm_(to_scores.transpose(1, 2), q[asked])
        to_queries *= scale
        for result, found in zip(results, (to_queries, to_keys, to_values), strict=True):
            # (rows heads, T, H/heads) -> (rows, heads, T, H/heads)
            result[rows].copy_(found.view(result[rows].shape))
