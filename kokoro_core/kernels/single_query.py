"""Attention of one query a row, as decoding step by step has it on a CPU."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kokoro_core.tensors.masks import add_bias


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
        bias, beta = (k.new_empty(()), 0) if mask is None else (mask, 1)
        scores = torch.baddbmm(bias, q, k.transpose(1, 2), beta=beta, alpha=scale)
    else:
        # In bfloat16 a scaled product takes oneDNN twice as long as a plain one.
        scores = torch.bmm(q * scale, k.transpose(1, 2))
        if mask is not None:
            # (B heads, 1, Tk) -> (B, heads, 1, Tk), which masks of any shape fit
            scores = (scores.view(batch, heads, 1, num) + mask).flatten(0, 1)
    # (B heads, 1, H/heads) -> (B, heads, 1, H/heads)
    return torch.bmm(scores.softmax(-1), v).view(batch, heads, 1, head_dim)


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
