"""`Guide`: how far attention strays from the diagonal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from kokoro_core.tensors.masks import lengths_from_padding_mask


@dataclass(frozen=True)
class Guide:
    """Guided attention (Tachibana et al., 2018, section 4.2) of the first heads of each layer.

    Attributes:
        heads: How many heads of a layer are guided.
        padding_mask: (B, N) bool, of the memory.
        penalty: (B, G, N), what weight costs that lies there, 0 at padding.
        count: (), the places that are not padding, at least 1.
    """

    heads: int
    padding_mask: Tensor
    penalty: Tensor
    count: Tensor

    @classmethod
    def of(
        cls, *, heads: int, sigma: float, padding_mask: Tensor, group_mask: Tensor, like: Tensor
    ) -> Self:
        """Return the guide of a batch.

        Args:
            heads: How many heads of a layer are guided.
            sigma: How far from the diagonal attention may be, as a share of the length.
            padding_mask: (B, N) bool, of the memory.
            group_mask: (B, G) bool, of the groups.
            like: Of the dtype to compute in.
        """
        across, along = _shares(padding_mask, like), _shares(group_mask, like)
        # (B, 1, N) - (B, G, 1) -> (B, G, N)
        distance = across.unsqueeze(1) - along.unsqueeze(2)
        valid = ~(group_mask.unsqueeze(2) | padding_mask.unsqueeze(1))
        penalty = (1 - torch.exp(-distance.square() / (2 * sigma**2))).masked_fill(~valid, 0)
        return cls(heads, padding_mask, penalty, valid.sum().clamp_min(1))

    def strayed(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the mean penalty of the guided heads of a layer.

        Shape:
            queries: (B, heads, G, C). keys: (B, heads, N, C). Returns: ().
        """
        queries, keys = queries[:, : self.heads], keys[:, : self.heads]
        scores = queries @ keys.transpose(2, 3) * queries.shape[3] ** -0.5
        # Not -inf, whose softmax over a row of padding alone is NaN, and so is its gradient.
        least = torch.finfo(scores.dtype).min
        weights = scores.masked_fill(self.padding_mask[:, None, None], least).softmax(3)
        strayed: Tensor = (weights * self.penalty.unsqueeze(1)).sum()
        return strayed / (self.count * self.heads)


def _shares(padding_mask: Tensor, like: Tensor) -> Tensor:
    """Return how much of its row lies before each step.

    Shape:
        padding_mask: (B, L) bool. Returns: (B, L), as `like`.
    """
    steps = torch.arange(padding_mask.shape[1], device=like.device)
    lengths = lengths_from_padding_mask(padding_mask).clamp_min(1).unsqueeze(1)
    return (steps / lengths.to(torch.promote_types(like.dtype, torch.float32))).to(like.dtype)
