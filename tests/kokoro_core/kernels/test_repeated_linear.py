"""A layer over rows of tables gives what it gives over their sums, with fewer products."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.cost.products import Products
from kokoro_core.kernels import Linear, prefer_repeated, repeated_linear
from kokoro_core.tensors.repeats import Repeats

ROWS, PHONEMES, FRAMES, WIDTH, OUT = 3, 4, 24, 8, 6


def parts(dtype: torch.dtype) -> list[Repeats]:
    """Return vectors of phonemes, of places, and of positions, each with its gradient."""
    torch.manual_seed(0)

    def table(rows: int) -> Tensor:
        return torch.randn(rows, WIDTH, dtype=dtype, requires_grad=True)

    phonemes = torch.randint(ROWS * PHONEMES, (ROWS, FRAMES))
    places = torch.randint(2, (ROWS, FRAMES))
    return [
        Repeats(table(ROWS * PHONEMES), phonemes),
        Repeats(table(2), places),
        Repeats(table(FRAMES)),
    ]


def sums(given: list[Repeats]) -> Tensor:
    first, second, third = given
    assert first.index is not None
    assert second.index is not None
    return first.table[first.index] + second.table[second.index] + third.table


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_results_and_gradients_are_those_of_the_sums(dtype: torch.dtype, tolerance: float) -> None:
    given, layer = parts(dtype), Linear(WIDTH, OUT, dtype=dtype)
    weigh = torch.randn(ROWS, FRAMES, OUT, dtype=dtype)
    leaves = [*(each.table for each in given), layer.weight, layer.bias]
    exact = [each.detach().double().requires_grad_() for each in leaves]
    doubled = [Repeats(t, each.index) for t, each in zip(exact, given, strict=False)]
    expected = F.linear(sums(doubled), exact[-2], exact[-1])
    found = repeated_linear(layer, given)
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)
    grads = torch.autograd.grad((found * weigh).sum(), leaves)
    wanted = torch.autograd.grad((expected * weigh).sum(), exact)
    for grad, want in zip(grads, wanted, strict=True):
        torch.testing.assert_close(grad.double(), want, rtol=tolerance, atol=10 * tolerance)


def test_it_multiplies_once_a_row_of_a_table_forward_and_twice_backward() -> None:
    given, layer = parts(torch.float32), Linear(WIDTH, OUT)
    with Products() as products:
        repeated_linear(layer, given).sum().backward()
    rows = sum(len(each.table) for each in given)
    assert products.multiply_adds == 3 * rows * WIDTH * OUT


def test_tables_that_want_no_gradient_cost_no_product_for_one() -> None:
    _, _, positions = parts(torch.float32)
    phonemes, _, _ = parts(torch.float32)
    fixed, layer = Repeats(positions.table.detach()), Linear(WIDTH, OUT)
    with Products() as products:
        repeated_linear(layer, [phonemes, fixed]).sum().backward()
    assert products.multiply_adds == (3 * ROWS * PHONEMES + 2 * FRAMES) * WIDTH * OUT


@pytest.mark.fast_kernels
def test_tables_are_preferred_where_they_have_fewer_rows_than_there_are_sums() -> None:
    given, layer = parts(torch.float32), Linear(WIDTH, OUT)
    rows = sum(len(each.table) for each in given)
    assert prefer_repeated([layer], given, rows + 1)
    assert not prefer_repeated([layer], given, rows)


def test_a_layer_that_somebody_watches_or_replaced_is_given_the_sums() -> None:
    given = parts(torch.float32)
    watched, plain = Linear(WIDTH, OUT), Linear(WIDTH, OUT)
    watched.register_forward_hook(lambda *call: None)
    for layers in ([plain, watched], [plain, nn.Sequential(plain)]):
        assert not prefer_repeated(layers, given, 10**6)
