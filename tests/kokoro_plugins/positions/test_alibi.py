import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_plugins.positions.alibi import slope_exponents
from kokoro_plugins.positions.params import AlibiParams


def published_slopes(num_heads):
    """Return the slopes by the recursion of the paper's own code."""

    def power_of_two(n):
        start = 2 ** (-(2 ** -(math.log2(n) - 3)))
        return [start * start**i for i in range(n)]

    if math.log2(num_heads).is_integer():
        return power_of_two(num_heads)
    closest = 2 ** math.floor(math.log2(num_heads))
    return power_of_two(closest) + published_slopes(2 * closest)[0::2][: num_heads - closest]


def alibi(num_heads):
    return AlibiParams().build(hidden_dim=8 * num_heads, num_heads=num_heads)


@pytest.mark.parametrize("num_heads", range(1, 40))
def test_slopes_are_the_published_ones_for_any_number_of_heads(num_heads):
    slopes = [2.0**-e for e in slope_exponents(num_heads)]
    np.testing.assert_allclose(slopes, published_slopes(num_heads), rtol=1e-12)


def test_eight_heads_have_the_slopes_of_the_paper():
    assert slope_exponents(8) == [1, 2, 3, 4, 5, 6, 7, 8]


@settings(deadline=None, max_examples=40)
@given(
    num_heads=st.integers(1, 17),
    q_positions=st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
    k_positions=st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
)
@example(num_heads=12, q_positions=[0], k_positions=[0])
def test_the_bias_is_minus_slope_times_distance(num_heads, q_positions, k_positions):
    # Cast through every other dtype first: the slopes must survive it.
    module = alibi(num_heads).half().bfloat16().float().double()
    bias = module.bias(torch.tensor(q_positions), torch.tensor(k_positions))
    distances = np.abs(np.subtract.outer(np.array(q_positions), np.array(k_positions)))
    expected = -np.array(published_slopes(num_heads))[:, None, None] * distances
    assert bias.dtype is torch.float64
    np.testing.assert_allclose(bias.numpy(), expected, rtol=1e-12, atol=1e-9)


def test_positions_may_differ_from_row_to_row():
    module = alibi(3)
    q_positions, k_positions = torch.tensor([[0, 1], [7, 3]]), torch.tensor([[2], [5]])
    bias = module.bias(q_positions, k_positions)
    assert bias.shape == (2, 3, 2, 1)
    for row in range(2):
        assert torch.equal(bias[row], module.bias(q_positions[row], k_positions[row]))


def test_rows_may_share_the_positions_of_their_queries():
    module = alibi(2)
    q_positions, k_positions = torch.tensor([4, 5]), torch.tensor([[0, 1, 2], [3, 4, 5]])
    bias = module.bias(q_positions, k_positions)
    for row in range(2):
        assert torch.equal(bias[row], module.bias(q_positions, k_positions[row]))


def test_the_bias_of_a_later_slice_is_the_slice_of_the_bias():
    module = alibi(4)
    whole = module.bias(torch.arange(9), torch.arange(9))
    assert torch.equal(module.bias(torch.arange(5, 9), torch.arange(9)), whole[:, 5:])


def test_half_precision_does_not_round_positions():
    bias = alibi(8).bfloat16().bias(torch.tensor([4097]), torch.tensor([4096]))
    assert bias.dtype is torch.bfloat16
    assert bias[0, 0, 0].item() == -0.5


def test_it_has_no_state_and_no_end_and_is_neutral_elsewhere():
    module = alibi(2)
    assert module.state_dict() == {}
    module.check_length(10**9)
    x = torch.ones(1, 2, 3, 8)
    assert module.rotate(x, x, torch.arange(3), torch.arange(3)) == (x, x)
