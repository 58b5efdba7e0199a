"""Attention by the fastest way there is for what it is given."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from kokoro_core.kernels import reference
from kokoro_core.kernels.blockwise_attention import attend_in_blocks, prefer_blockwise
from kokoro_core.kernels.choice import by_reference
from kokoro_core.kernels.single_query import prefer_single_query, single_query


def attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None = None,
    *,
    is_causal: bool = False,
    dropout: float = 0.0,
    needs_weights: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return what `reference.attention` returns; the weights only where they are needed.

    Args:
        queries: (B, heads, Tq, H/heads).
        keys: (B, heads, Tk, H/heads).
        values: (B, heads, Tk, H/heads).
        mask: Broadcastable to (B, heads, Tq, Tk), bool with True = may attend, or added.
        is_causal: Besides, query i attends to no key after the i-th.
        dropout: Of the weights.
        needs_weights: Return them, which no fused kernel can.
    """
    if needs_weights or by_reference():
        return reference.attention(
            queries, keys, values, mask, is_causal=is_causal, dropout=dropout
        )
    if is_causal and mask is not None:  # the kernels take one of both
        mask, is_causal = reference.with_causality(mask, queries, keys), False
    if dropout == 0 and not is_causal and prefer_single_query(queries):
        result = single_query(queries, keys, values, mask)
    elif prefer_blockwise(queries, keys, mask, dropout):
        result = attend_in_blocks(queries, keys, values, mask, is_causal=is_causal, dropout=dropout)
    else:
        result = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, dropout_p=dropout, is_causal=is_causal
        )
    return result, None
