"""Lengths and padding masks: the only file that decides polarity.

A ``padding_mask`` is bool and True means padding, as in torch's ``key_padding_mask``. The opposite
polarity of ``scaled_dot_product_attention``, True = may attend, is produced only here.
"""

from __future__ import annotations

import torch
from torch import Tensor


def padding_mask_from_lengths(lengths: Tensor, num: int) -> Tensor:
    """Return the padding mask of rows with these lengths.

    Shape:
        lengths: (B,) int64. Returns: (B, num) bool, True = padding.
    """
    return torch.arange(num, device=lengths.device) >= lengths.unsqueeze(1)


def lengths_from_padding_mask(padding_mask: Tensor) -> Tensor:
    """Return the lengths of the rows of a padding mask.

    Shape:
        padding_mask: (B, T) bool. Returns: (B,) int64.
    """
    return (~padding_mask).sum(1)


def zero_padding(x: Tensor, padding_mask: Tensor) -> Tensor:
    """Return x with exactly 0 at padding, even in place of a NaN (which a product would keep).

    Shape:
        x: (B, T) or (B, T, C). padding_mask: (B, T) bool. Returns: as x.
    """
    mask = padding_mask if x.dim() == padding_mask.dim() else padding_mask.unsqueeze(-1)
    return x.masked_fill(mask, 0)


def attend_mask(padding_mask: Tensor) -> Tensor:
    """Return which keys every query may attend to.

    Shape:
        padding_mask: (B, Tk) bool, True = padding. Returns: (B, 1, 1, Tk) bool, True = may attend.
    """
    # (B, Tk) -> (B, 1, 1, Tk)
    return ~padding_mask[:, None, None, :]


def causal_mask(q_positions: Tensor, k_positions: Tensor) -> Tensor:
    """Return which keys each query may attend to if it must not see later positions.

    Shape:
        q_positions: (Tq,) or (B, Tq). k_positions: (Tk,) or (B, Tk).
        Returns: (Tq, Tk), or (B, 1, Tq, Tk) if rows differ, bool, True = may attend.
    """
    seen = k_positions.unsqueeze(-2) <= q_positions.unsqueeze(-1)
    # (B, Tq, Tk) -> (B, 1, Tq, Tk)
    return seen if seen.dim() == 2 else seen.unsqueeze(1)


def add_bias(attend: Tensor | None, bias: Tensor | None) -> Tensor | None:
    """Combine an attention mask (or a bias made from one) with a bias of the scores.

    Shape:
        attend, bias: broadcastable to (B, heads, Tq, Tk); `attend` bool with True = may attend.
    """
    if attend is None or bias is None:
        return attend if bias is None else bias
    if attend.dtype is torch.bool:
        return torch.where(attend, bias, float("-inf"))
    return attend + bias


def can_look_inside(tensor: Tensor) -> bool:
    """Return whether checking values causes neither a synchronisation nor a graph break."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


def check_padding_mask(name: str, padding_mask: Tensor, shape: tuple[int, int]) -> None:
    """Reject a mask whose rows are not right-padded and non-empty.

    Values are checked only where that causes no synchronisation.

    Raises:
        ValueError: It is not bool, has another shape, a row is empty, or padding is not at the end.
    """
    if padding_mask.dtype is not torch.bool or tuple(padding_mask.shape) != tuple(shape):
        raise ValueError(
            f"`{name}` must be bool of shape {tuple(shape)} with True for padding, "
            f"not {padding_mask.dtype} of shape {tuple(padding_mask.shape)}."
        )
    if not can_look_inside(padding_mask):
        return
    lengths = lengths_from_padding_mask(padding_mask)
    expected = padding_mask_from_lengths(lengths, padding_mask.shape[1])
    wrong = (padding_mask != expected).any(1) | (lengths == 0)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        what = "is all padding" if int(lengths[row]) == 0 else "has padding before its end"
        raise ValueError(
            f"`{name}` must have at least one False in each row and padding only at its end; "
            f"row {row} {what}."
        )
