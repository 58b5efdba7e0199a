"""Blocks that the sound components are built from, in plain torch, with seams for mutants."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def require(tensor: Tensor, padding_mask: Tensor, dims: int, name: str) -> None:
    """Refuse a tensor of another rank, and a padding mask that does not fit it.

    Raises:
        ValueError: They do not fit.
    """
    if tensor.dim() != dims:
        raise ValueError(f"`{name}` must have {dims} axes, not {tensor.dim()}.")
    if padding_mask.shape != tensor.shape[:2] or padding_mask.dtype is not torch.bool:
        raise ValueError(f"The padding mask of `{name}` must be bool and {tensor.shape[:2]}.")


def zeroed(x: Tensor, padding_mask: Tensor) -> Tensor:
    """Return x with 0 at padding."""
    return x.masked_fill(padding_mask if x.dim() == 2 else padding_mask.unsqueeze(-1), 0)


def sinusoids(positions: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """Return sinusoids (T, width), computed in float64."""
    even = torch.arange(0, width, 2, dtype=torch.float64, device=positions.device)
    angles = positions.to(torch.float64).unsqueeze(-1) * 10000.0 ** (-even / width)
    return torch.cat([angles.sin(), angles.cos()], -1).to(dtype)


class Attention(nn.Module):
    """Multi-head attention with its weights in the open."""

    def __init__(self, width: int, num_heads: int = 2, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor, hidden: Tensor | None) -> Tensor:
        """Attend from x (B, Tq, H) to a memory (B, Tk, H), but not to what is hidden."""
        return self.attend(x, *self.keys_and_values(memory), hidden)

    def keys_and_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a cache holds, each (B, Tk, H)."""
        return self.key(memory), self.value(memory)

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, hidden: Tensor | None) -> Tensor:
        """Attend to keys and values (B, Tk, H); hidden is broadcastable to (B, 1, Tq, Tk)."""
        q, k, v = self.split(self.query(x)), self.split(keys), self.split(values)
        weights = self.weigh(q @ k.transpose(2, 3) / math.sqrt(q.shape[3]), hidden)
        # (B, heads, Tq, D) -> (B, Tq, H)
        mixed: Tensor = self.out((self.drop(weights) @ v).transpose(1, 2).flatten(2))
        return mixed

    def weigh(self, scores: Tensor, hidden: Tensor | None) -> Tensor:
        """Return weights of scores (B, heads, Tq, Tk)."""
        return (scores if hidden is None else self.fill(scores, hidden)).softmax(-1)

    def fill(self, scores: Tensor, hidden: Tensor) -> Tensor:
        """Return scores that leave out what is hidden."""
        return scores.masked_fill(hidden, torch.finfo(scores.dtype).min)

    def drop(self, weights: Tensor) -> Tensor:
        """Return weights with dropout in training."""
        return F.dropout(weights, self.dropout, self.training)

    def split(self, x: Tensor) -> Tensor:
        """Split heads."""
        # (B, T, H) -> (B, heads, T, D)
        heads: Tensor = x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)
        return heads


class FeedForward(nn.Module):
    """Two linear layers with a smooth unit between them."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Run it on x (…, H)."""
        result: Tensor = self.narrow(self.dropout(F.gelu(self.wide(x))))
        return result


class Conv(nn.Module):
    """A convolution over time that sees 0 at padding."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel_size, padding="same")

    def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Convolve x (B, T, C)."""
        # (B, T, C) -> (B, C, T) -> (B, T, C')
        result: Tensor = self.conv(self.clean(x, padding_mask).transpose(1, 2)).transpose(1, 2)
        return result

    def clean(self, x: Tensor, padding_mask: Tensor) -> Tensor:
        """Return what the convolution sees."""
        return zeroed(x, padding_mask)
