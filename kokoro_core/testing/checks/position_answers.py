"""What a positional encoding is asked by its checks, and what it answers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kokoro_core.testing.data.cases import PositionCase
from kokoro_core.testing.subjects.subject import NUM_HEADS, Subject

SLOT = ("positional_encoding",)


def vectors(subject: Subject, data: PositionCase, rows: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Return x (B, T, H), queries and keys (B, heads, T, H/heads)."""
    generator = torch.Generator().manual_seed(data.seed)
    width = subject.sizes.hidden_dim
    x = torch.randn(rows, data.length, width, generator=generator, dtype=subject.dtype)
    # (B, T, H) -> (B, heads, T, H/heads)
    q = x.reshape(rows, data.length, NUM_HEADS, width // NUM_HEADS).transpose(1, 2)
    return x, q, q.flip(2)


def questions(subject: Subject, data: PositionCase) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x, queries, keys and attention weights (B, heads, T, T), each in its own memory."""
    x, q, k = (each.clone() for each in vectors(subject, data))
    return x, q, k, (q @ k.transpose(2, 3)).softmax(3)


def answers(
    encoding: Any, given: tuple[Tensor, ...], positions: Tensor
) -> dict[str, Tensor | None]:
    """Return by name what an encoding answers for x, queries, keys and weights.

    A bias has a batch axis only if the positions have.
    """
    x, q, k, weights = given
    turned_q, turned_k = encoding.rotate(q, k, positions, positions)
    return {
        "add": encoding.add(x, positions),
        "rotate": turned_q,
        "rotate of keys": turned_k,
        "bias": encoding.bias(positions, positions),
        "content_bias": encoding.content_bias(q, positions, positions),
        "values": encoding.values(weights, positions, positions),
    }
