from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_plugins.positions.params import RotaryParams
from kokoro_plugins.positions.rotary import RotaryPositions


def turned(x, positions, base):
    """Turn (T, D) as complex numbers: x[i] + j x[i + D/2] times exp(j position base^(-2i/D))."""
    half = x.shape[-1] // 2
    frequencies = base ** (-np.arange(half) * 2.0 / x.shape[-1])
    angles = positions[:, None].astype(np.float64) * frequencies
    z = (x[:, :half] + 1j * x[:, half:]) * np.exp(1j * angles)
    return np.concatenate([z.real, z.imag], axis=-1)


def queries_and_keys(num_q, num_k, head_dim):
    generator = torch.Generator().manual_seed(num_q)
    shape = (2, 3, num_q + num_k, head_dim)
    both = torch.randn(shape, generator=generator, dtype=torch.float64)
    return both[:, :, :num_q], both[:, :, num_q:]


@settings(deadline=None, max_examples=40)
@given(
    q_positions=st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
    k_positions=st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
    head_dim=st.sampled_from([2, 4, 10]),
    base=st.sampled_from([10000.0, 500000.0, 2.0]),
)
@example(q_positions=[0], k_positions=[0], head_dim=2, base=10000.0)
def test_queries_and_keys_are_turned_like_complex_numbers(q_positions, k_positions, head_dim, base):
    rotary = RotaryPositions(head_dim=head_dim, base=base)
    q, k = queries_and_keys(len(q_positions), len(k_positions), head_dim)
    at, of = torch.tensor(q_positions), torch.tensor(k_positions)
    got_q, got_k = rotary.rotate(q, k, at, of)
    for got, x, positions in ((got_q, q, at), (got_k, k, of)):
        for row, head in product(range(2), range(3)):
            expected = turned(x[row, head].numpy(), positions.numpy(), base)
            np.testing.assert_allclose(got[row, head].numpy(), expected, atol=1e-9)


def test_a_model_cast_to_double_after_it_was_built_is_exact():
    rotary = RotaryPositions(head_dim=8).half().float().double()
    q, _ = queries_and_keys(4, 0, 8)
    positions = torch.tensor([0, 17, 4999, 123456])
    got, _ = rotary.rotate(q, q, positions, positions)
    np.testing.assert_allclose(
        got[1, 2].numpy(), turned(q[1, 2].numpy(), positions.numpy(), 10000.0), atol=1e-9
    )


def test_positions_may_differ_from_row_to_row():
    rotary = RotaryPositions(head_dim=4)
    q, k = queries_and_keys(3, 3, 4)
    positions = torch.tensor([[0, 1, 2], [5, 9, 7]])
    got_q, got_k = rotary.rotate(q, k, positions, positions)
    for row in range(2):
        alone = rotary.rotate(q[row : row + 1], k[row : row + 1], positions[row], positions[row])
        torch.testing.assert_close(got_q[row], alone[0][0], rtol=0, atol=0)
        torch.testing.assert_close(got_k[row], alone[1][0], rtol=0, atol=0)


@settings(deadline=None, max_examples=25)
@given(offset=st.integers(0, 10**4), distance=st.integers(-50, 50))
@example(offset=0, distance=0)
def test_a_score_depends_on_the_distance_alone(offset, distance):
    rotary = RotaryPositions(head_dim=6)
    q, k = queries_and_keys(1, 1, 6)

    def score(start):
        at, of = torch.tensor([start + 100]), torch.tensor([start + 100 + distance])
        turned_q, turned_k = rotary.rotate(q, k, at, of)
        return (turned_q * turned_k).sum(-1)

    torch.testing.assert_close(score(offset), score(0), rtol=1e-9, atol=1e-9)


def test_no_query_or_no_key_is_nothing_to_turn():
    rotary = RotaryPositions(head_dim=4)
    q, k = queries_and_keys(0, 2, 4)
    got_q, got_k = rotary.rotate(q, k, torch.arange(0), torch.arange(2))
    assert got_q.shape == (2, 3, 0, 4)
    assert torch.equal(got_k[:, :, 0], k[:, :, 0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_angles_are_not_computed_in_half_precision(dtype):
    rotary = RotaryPositions(head_dim=4).to(dtype)
    q = torch.ones(1, 1, 1, 4, dtype=dtype)
    position = torch.tensor([4097])  # neither bfloat16 nor float16 holds it
    got, _ = rotary.rotate(q, q, position, position)
    assert got.dtype is dtype
    expected = turned(np.ones((1, 4)), position.numpy(), 10000.0)
    np.testing.assert_allclose(got[0, 0].double().numpy(), expected, atol=2e-2)


def test_the_gradient_is_turned_back():
    rotary = RotaryPositions(head_dim=4)
    q, _ = queries_and_keys(3, 0, 4)
    q = q.requires_grad_()
    positions = torch.tensor([3, 1, 4])
    assert torch.autograd.gradcheck(lambda x: rotary.rotate(x, x, positions, positions), q)


def test_it_has_no_state_and_no_end():
    rotary = RotaryParams().build(hidden_dim=16, num_heads=2)
    assert rotary.head_dim == 8
    assert rotary.base == 10000.0
    assert rotary.state_dict() == {}
    rotary.check_length(10**9)
    assert rotary.bias(torch.arange(2), torch.arange(2)) is None
    x = torch.ones(1, 2, 16)
    assert rotary.add(x, torch.arange(2)) is x


def test_heads_of_odd_width_are_refused():
    with pytest.raises(ValueError, match=r"`head_dim` must be even .* not 5; choose `hidden_dim`"):
        RotaryParams().build(hidden_dim=10, num_heads=2)


def test_a_fraction_of_each_heads_channels_is_turned_as_a_head_of_that_width():
    partial = RotaryParams(fraction=0.5).build(hidden_dim=24, num_heads=3)
    assert partial.head_dim == 4
    q, k = queries_and_keys(3, 2, 8)
    at, of = torch.tensor([0, 7, 11]), torch.tensor([5, 1000])
    whole = RotaryPositions(head_dim=4).rotate(q[..., :4], k[..., :4], at, of)
    for found, turned_ones, x in zip(partial.rotate(q, k, at, of), whole, (q, k), strict=True):
        assert torch.equal(found[..., :4], turned_ones)
        assert torch.equal(found[..., 4:], x[..., 4:])


@pytest.mark.parametrize(("fraction", "turned_ones"), [(0.4, 3), (0.1, 0)])
def test_a_fraction_without_pairs_is_a_problem_of_the_spec(fraction, turned_ones):
    [(field, message)] = RotaryParams(fraction=fraction).check_stack(hidden_dim=16, num_heads=2)
    assert field == "fraction"
    assert message == (
        f"turns {turned_ones} of the 8 channels of a head, but they are turned in pairs; "
        f"make that even and at least 2"
    )


def test_one_pass_computes_the_angles_of_the_same_positions_once(monkeypatch):
    rotary = RotaryPositions(head_dim=4)
    q, k = queries_and_keys(5, 5, 4)
    here, there = torch.arange(5), torch.arange(3, 8)
    computed = []
    compute = RotaryPositions._compute_cos_sin

    def watched(self, at, dtype):
        computed.append(at)
        return compute(self, at, dtype)

    monkeypatch.setattr(RotaryPositions, "_compute_cos_sin", watched)
    view = rotary.for_one_pass()
    for _ in range(3):
        for expected, found in zip(
            rotary.rotate(q, k, here, there), view.rotate(q, k, here, there), strict=True
        ):
            assert torch.equal(found, expected)
    assert len(computed) == 3 * 2 + 2
    assert rotary.for_one_pass() is not view
