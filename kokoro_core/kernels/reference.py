"""The formulas, as the papers have them: what the kernels compute by faster ways."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.tensors.masks import add_bias, can_look_inside, causal_mask


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b.

    Shape:
        x: (..., in). weight: (out, in). bias: (out,). Returns: (..., out).
    """
    return F.linear(x, weight, bias)


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """Set each number to 0 with probability `p`, and divide the others by 1 - p, in training.

    Srivastava et al., 2014; the mask is torch's own.
    """
    return F.dropout(x, p, training)


def feed_forward(x: Tensor, first: nn.Module, relu_dropout: nn.Module, last: nn.Module) -> Tensor:
    """Return dropout(relu(x W₁ᵀ + b₁)) W₂ᵀ + b₂ (Vaswani et al., 2017, section 3.3).

    Shape:
        x: (..., H). Returns: (..., H).
    """
    result: Tensor = last(relu_dropout(first(x)))
    return result


def attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    mask: Tensor | None = None,
    *,
    is_causal: bool = False,
    dropout: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Return softmax(Q Kᵀ / √d + mask) V and the weights (Vaswani et al., 2017, section 3.2).

    Args:
        queries: (B, heads, Tq, d).
        keys: (B, heads, Tk, d).
        values: (B, heads, Tk, d).
        mask: Broadcastable to (B, heads, Tq, Tk), bool with True = may attend, or added.
        is_causal: Besides, query i attends to no key after the i-th.
        dropout: Of the weights.

    Returns:
        (B, heads, Tq, d) and (B, heads, Tq, Tk); both are 0 for a query that may see no key.
    """
    scores = (queries / math.sqrt(queries.shape[-1])) @ keys.transpose(-2, -1)
    if is_causal:
        mask = with_causality(mask, queries, keys)
    if mask is not None and mask.dtype is torch.bool:
        # As something to add, which costs nothing in the backward pass, it is still small.
        mask = torch.where(mask, queries.new_zeros(()), -math.inf)
    if mask is not None:
        scores = scores + mask
    weights = _softmax(scores, mask)
    if dropout > 0:
        weights = F.dropout(weights, dropout)
    weights = weights.to(values.dtype)
    return weights @ values, weights


def with_causality(mask: Tensor | None, queries: Tensor, keys: Tensor) -> Tensor | None:
    """Return a mask that also hides from query i every key after the i-th.

    Shape:
        queries: (..., Tq, d). keys: (..., Tk, d).
    """
    at, of = (torch.arange(each.shape[-2], device=each.device) for each in (queries, keys))
    seen = causal_mask(at, of)
    if mask is not None and mask.dtype is torch.bool:
        return seen & mask
    return add_bias(seen, mask)


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
