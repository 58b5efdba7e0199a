"""Attention of one query a row, as decoding step by step has it on a CPU."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from kokoro_core.kernels import cpu
from kokoro_core.tensors.masks import add_bias

LONG = 256
"""Keys from which on values are summed row by row."""
NOTHING = torch.zeros((), dtype=torch.float32, device="cpu")
"""What is added to scores without a mask: the kernel wants a tensor, though it does not read it."""


def single_query(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Attend with one query a row, in two matrix products.

    Shape:
        queries: (B, heads, 1, H/heads). keys, values: (B, heads, Tk, H/heads).
        mask: broadcastable to (B, heads, 1, Tk), or None. Returns: (B, heads, 1, H/heads).
    """
    batch, heads, num, head_dim = keys.shape
    # (B, heads, T, H/heads) -> (B heads, T, H/heads)
    q, k, v = queries.flatten(0, 1), keys.flatten(0, 1), values.flatten(0, 1)
    scale = 1 / math.sqrt(head_dim)
    if mask is not None and mask.dtype is torch.bool:
        mask = add_bias(mask, q.new_zeros(()))
    if q.dtype is torch.float32 and (mask is None or mask.dim() == 2):
        bias, beta = (NOTHING, 0) if mask is None else (mask, 1)
        scores = torch.baddbmm(bias, q, k.transpose(1, 2), beta=beta, alpha=scale)
    else:
        # In bfloat16 a scaled product takes oneDNN twice as long as a plain one.
        scores = torch.bmm(q * scale, k.transpose(1, 2))
        if mask is not None:
            # (B heads, 1, Tk) -> (B, heads, 1, Tk), which masks of any shape fit
            scores = (scores.view(batch, heads, 1, num) + mask).flatten(0, 1)
    weights = scores.softmax(-1)
    summed = sum_of_rows(weights, v) if reads_rows(v) else torch.bmm(weights, v)
    # (B heads, 1, H/heads) or (B heads, H/heads) -> (B, heads, 1, H/heads)
    return summed.view(batch, heads, 1, head_dim)


def reads_rows(values: Tensor) -> bool:
    """Return whether values are so many that FBGEMM's sum of rows beats a product.

    It reads them from end to end; the product, which MKL makes of few columns, takes 1.3 to 1.7
    times as long from some hundred rows on (docs/generation.md).

    Shape:
        values: (n, T, d).
    """
    return (
        not torch.compiler.is_compiling()  # first: a graph must not depend on the length
        and values.shape[1] >= LONG
        and values.dtype is torch.float32
        and values.is_contiguous()
        and cpu.processor().float16_products
        and not torch.is_grad_enabled()
    )


def sum_of_rows(weights: Tensor, values: Tensor) -> Tensor:
    """Return for each of n the sum of its rows, each times its weight.

    Shape:
        weights: (n, 1, T). values: (n, T, d). Returns: (n, d).
    """
    rows, first = _indices(*values.shape[:2])
    # (n, T, d) -> (n T, d); (n, 1, T) -> (n T,)
    table, per_row = values.view(-1, values.shape[2]), weights.view(-1)
    sums = 0  # of the modes
    return torch.embedding_bag(table, rows, first, mode=sums, per_sample_weights=per_row)[0]


@functools.lru_cache(maxsize=16)
def _indices(bags: int, length: int) -> tuple[Tensor, Tensor]:
    """Return the numbers of all rows, (bags length,), and of the first of each bag, (bags,)."""
    with torch.inference_mode(False), torch.device("cpu"):
        rows = torch.arange(bags * length, dtype=torch.int32)
    return rows, rows[::length].contiguous()


def prefer_single_query(queries: Tensor) -> bool:
    """Return whether the CPU's fused attention loses to two matrix products.

    For one query a row it does: in float32 it takes 1.1 to 1.8 times as long, in bfloat16 2 to 5
    times (torch 2.13 on two cores; figures in docs/generation.md). Where it loses in training,
    `prefer_blockwise` says so.

    Shape:
        queries: (B, heads, Tq, H/heads).
    """
    if torch.is_grad_enabled() and queries.requires_grad:
        return False
    return queries.device.type == "cpu" and queries.shape[-2] == 1
