"""`RelativeAttention`: Transformer-XL's self-attention, as ESPnet's Conformer has it."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from kokoro_core.kernels import Dropout


@final
class RelativeAttention(nn.Module):
    """Self-attention whose scores also depend on distance (Dai et al., 2019, section 3.3).

    Args:
        hidden_dim: Width.
        num_heads: Heads; they divide the width.
        dropout: Probability of dropout of the weights.
    """

    def __init__(self, *, hidden_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        width = hidden_dim // num_heads
        self.query, self.key, self.value, self.out = (
            nn.Linear(hidden_dim, hidden_dim) for _ in range(4)
        )
        self.distance = nn.Linear(hidden_dim, hidden_dim, bias=False)
        self.content_bias = nn.Parameter(torch.empty(num_heads, width))
        self.distance_bias = nn.Parameter(torch.empty(num_heads, width))
        nn.init.xavier_uniform_(self.content_bias)
        nn.init.xavier_uniform_(self.distance_bias)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, padding_mask: Tensor, distances: Tensor) -> Tensor:
        """Attend.

        Shape:
            x: (B, T, H). padding_mask: (B, T) bool. distances: (2T - 1, H), the encoding of the
            distances T - 1 to 1 - T. Returns: (B, T, H).
        """
        query, key, value = (self._heads(layer(x)) for layer in (self.query, self.key, self.value))
        # (2T - 1, H) -> (heads, 2T - 1, H/heads)
        distance = self._heads(self.distance(distances).unsqueeze(0)).squeeze(0)
        by_content = (query + self.content_bias.unsqueeze(1)) @ key.transpose(2, 3)
        by_distance = (query + self.distance_bias.unsqueeze(1)) @ distance.transpose(1, 2)
        scores = (by_content + _to_keys(by_distance)) / math.sqrt(query.shape[3])
        hidden = padding_mask[:, None, None]
        # Not -inf, whose softmax over a row of padding alone is NaN, and so is its gradient.
        least = torch.finfo(scores.dtype).min
        weights = scores.masked_fill(hidden, least).softmax(3).masked_fill(hidden, 0.0)
        # (B, heads, T, H/heads) -> (B, T, H)
        attended = (self.dropout(weights) @ value).transpose(1, 2).flatten(2)
        result: Tensor = self.out(attended)
        return result

    def _heads(self, x: Tensor) -> Tensor:
        # (B, T, H) -> (B, heads, T, H/heads)
        return x.reshape(*x.shape[:2], self.num_heads, -1).transpose(1, 2)


def _to_keys(scores: Tensor) -> Tensor:
    """Return the score of each key, from those of the distances T - 1 to 1 - T.

    Shape:
        scores: (B, heads, T, 2T - 1). Returns: (B, heads, T, T).
    """
    steps = torch.arange(scores.shape[2], device=scores.device)
    # Query i sees key j at the distance i - j, which stands at T - 1 - (i - j).
    # Not `len`, which is a plain number where a graph is for any length.
    index = (steps.shape[0] - 1 - steps.unsqueeze(1)) + steps
    return scores.gather(3, index.expand(*scores.shape[:3], -1))
