"""Inputs and outputs of a positional encoding's methods."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from kokoro_core.testing.check import Check
from kokoro_core.testing.data.cases import PositionCase
from kokoro_core.testing.data.compare import assert_same
from kokoro_core.testing.subjects.subject import NUM_HEADS, Subject

position_check = partial(Check, slots=("positional_encoding",))


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
    encoding: Any, given: tuple[Tensor, ...], positions: Tensor, of_keys: Tensor | None = None
) -> dict[str, Tensor | None]:
    """Return the results of an encoding's methods for x, queries, keys and weights.

    A bias has a batch axis only if the positions have.

    Args:
        encoding: The positional encoding.
        given: What `questions` returns.
        positions: Of x and the queries.
        of_keys: Positions of the keys; None: those of the queries.
    """
    x, q, k, weights = given
    of_keys = positions if of_keys is None else of_keys
    turned_q, turned_k = encoding.rotate(q, k, positions, of_keys)
    return {
        "add": encoding.add(x, positions),
        "rotate": turned_q,
        "rotate of keys": turned_k,
        "bias": encoding.bias(positions, of_keys),
        "content_bias": encoding.content_bias(q, positions, of_keys),
        "values": encoding.values(weights, positions, of_keys),
    }


def assert_same_answer(
    name: str, got: Tensor | None, expected: Tensor | None, promise: str
) -> None:
    """Compare two answers of a method, each None where the encoding leaves it out."""
    assert (got is None) == (expected is None), f"`{name}` must not come and go"
    if got is not None and expected is not None:
        assert_same(got, expected, f"`{name}` {promise}")
