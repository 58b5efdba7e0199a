"""Both halves of a projection: their numbers, their gradient, and that nothing is copied for it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kokoro_core.contracts import PositionalEncoding
from kokoro_core.kernels import halves
from kokoro_core.kernels.halves import are_heads_of_halves, empty_halves
from kokoro_core.nn.attention import MultiheadAttention, make_scope

ROWS, LENGTH, HEADS, WIDTH = 2, 5, 3, 4
DIM = HEADS * WIDTH


class Names(TorchDispatchMode):
    """Notes which operations run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found.append(func._schema.name)
        return func(*args, **(kwargs or {}))


def projected() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(ROWS, LENGTH, 2 * DIM, dtype=torch.float64, requires_grad=True)


def gradient(first: Tensor, second: Tensor) -> tuple[Tensor, list[str]]:
    """Return what becomes of two gradients of the halves, and by which operations."""
    x = projected()
    made = halves(x + 0)
    with Names() as names:
        torch.autograd.backward(made, (first, second))
    assert x.grad is not None
    return x.grad, names.found


def test_they_are_the_first_and_the_second_half() -> None:
    x = projected()
    first, second = halves(x)
    assert torch.equal(first, x[..., :DIM])
    assert torch.equal(second, x[..., DIM:])


def side_by_side() -> tuple[Tensor, Tensor]:
    first, second = empty_halves(torch.empty(ROWS, HEADS, LENGTH, WIDTH, dtype=torch.float64))
    torch.manual_seed(1)
    # (B, heads, T, width) -> (B, T, H)
    return first.normal_().transpose(1, 2).flatten(2), second.normal_().transpose(1, 2).flatten(2)


@pytest.mark.fast_kernels
def test_gradients_side_by_side_are_one_already() -> None:
    first, second = side_by_side()
    found, operations = gradient(first, second)
    torch.testing.assert_close(found, torch.cat([first, second], -1), rtol=0, atol=0)
    assert "aten::cat" not in operations


@pytest.mark.parametrize("kind", ["apart", "changed places", "one of them twice", "one late"])
def test_gradients_that_lie_otherwise_are_joined(kind: str) -> None:
    first, second = side_by_side()
    if kind == "apart":
        first, second = first.contiguous(), second.contiguous()
    elif kind == "changed places":
        first, second = second, first
    elif kind == "one of them twice":
        second = first
    else:
        longer = torch.randn(ROWS, LENGTH, 2 * DIM + 1, dtype=torch.float64)
        first, second = longer[..., :DIM], longer[..., DIM : 2 * DIM]
    found, _ = gradient(first, second)
    torch.testing.assert_close(found, torch.cat([first, second], -1), rtol=0, atol=0)


def test_one_half_alone_has_a_gradient_too() -> None:
    x = projected()
    halves(x)[1].sum().backward()
    expected = torch.zeros_like(x)
    expected[..., DIM:] = 1
    torch.testing.assert_close(x.grad, expected)


@pytest.mark.fast_kernels
def test_attention_in_training_joins_nothing() -> None:
    torch.manual_seed(0)
    block = MultiheadAttention(hidden_dim=DIM, num_heads=HEADS, dropout=0.1).train()
    x = torch.randn(ROWS, LENGTH, DIM, requires_grad=True)
    positions = torch.arange(LENGTH)
    scope = make_scope(PositionalEncoding(), positions, positions)
    with Names() as names:
        block(x, x, scope).sum().backward()
    assert "aten::cat" not in names.found


def heads_of(x: Tensor) -> Tensor:
    # (B, T, H) -> (B, heads, T, width)
    return x.view(*x.shape[:2], HEADS, WIDTH).transpose(1, 2)


def test_heads_of_two_halves_are_known_from_heads_of_two_projections() -> None:
    first, second = projected().detach().chunk(2, -1)
    assert are_heads_of_halves(heads_of(first), heads_of(second))
    assert not are_heads_of_halves(heads_of(second), heads_of(first))
    assert not are_heads_of_halves(heads_of(first), heads_of(second.clone()))
    assert not are_heads_of_halves(heads_of(first).contiguous(), heads_of(second))
    assert not are_heads_of_halves(heads_of(first), heads_of(second)[..., :1])
