import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.utils import _pytree as pytree

from kokoro_core.contracts import Plan
from kokoro_core.params.sizes import Sizes
from kokoro_plugins.gaussian.params import GaussianRegulatorParams

SIZES = Sizes(vocab_size=63, pad_id=0, mel_dim=80, hidden_dim=4)


def build(**settings_of_it):
    return GaussianRegulatorParams(**settings_of_it).build(SIZES)


def blended(durations, x, delta, shift):
    """Expand one row (N, C) frame by frame in Python: EATS, section 2.2, with JETS's delta."""
    centres, end = [], 0
    for d in durations:
        centres.append(end + d / 2)
        end += d
    frames = []
    for t in range(end):
        energies = {
            n: -delta * (t + shift - c) ** 2
            for n, (c, d) in enumerate(zip(centres, durations, strict=True))
            if d > 0
        }
        highest = max(energies.values())
        shares = {n: math.exp(energy - highest) for n, energy in energies.items()}
        frames.append(sum(share * x[n] for n, share in shares.items()) / sum(shares.values()))
    return np.array(frames).reshape(end, x.shape[1])


def ragged(rows, extra=0, channels=4, dtype=torch.float64):
    """Return durations, padding mask and hidden of rows given as lists of durations."""
    width = max(len(row) for row in rows) + extra
    durations = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    padding_mask = torch.arange(width) >= torch.tensor([len(row) for row in rows])[:, None]
    generator = torch.Generator().manual_seed(width)
    hidden = torch.randn(len(rows), width, channels, generator=generator, dtype=torch.float64)
    return durations, padding_mask, hidden.to(dtype)


phonemes = st.lists(st.integers(0, 9), min_size=1, max_size=6)


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(phonemes, min_size=1, max_size=3),
    extra=st.integers(0, 2),
    late=st.integers(0, 4),
    delta=st.sampled_from([0.1, 0.001, 5.0]),
    frame_time=st.sampled_from(["start", "middle"]),
)
@example(rows=[[0]], extra=0, late=0, delta=0.1, frame_time="start")
@example(rows=[[0, 0], [1, 0]], extra=1, late=2, delta=0.1, frame_time="middle")
@example(rows=[[3, 0, 4], [0, 0, 0], [0, 2, 0]], extra=1, late=0, delta=0.1, frame_time="start")
@example(rows=[[400, 1, 0, 400]], extra=0, late=0, delta=0.1, frame_time="start")
def test_each_row_is_blended_as_the_formula_says(rows, extra, late, delta, frame_time):
    durations, padding_mask, hidden = ragged(rows, extra)
    regulator = build(delta=delta, frame_time=frame_time)
    longest = max(sum(row) for row in rows)
    plan = regulator.plan(hidden, durations, padding_mask, longest + late)
    memory = regulator.expand(plan, hidden)
    assert memory.shape == (len(rows), longest + late, 4)
    assert plan.lengths.tolist() == [sum(row) for row in rows]
    for row, given_durations in enumerate(rows):
        expected = blended(
            given_durations,
            hidden[row].numpy(),
            delta,
            {"start": 0.0, "middle": 0.5}[frame_time],
        )
        length = len(expected)
        np.testing.assert_allclose(memory[row, :length], expected, rtol=1e-9, atol=1e-9)
        assert bool((memory[row, length:] == 0).all())
        assert plan.padding_mask[row].tolist() == [t >= length for t in range(longest + late)]


def test_the_default_is_the_one_of_jets():
    regulator = build()
    assert (regulator.delta, regulator.frame_time) == (0.1, "start")


def test_without_a_number_of_frames_the_longest_row_gives_it():
    durations, padding_mask, hidden = ragged([[2, 3], [1]])
    plan = build().plan(hidden, durations, padding_mask)
    assert plan.weights.shape == (2, 5, 2)
    assert plan.lengths.tolist() == [5, 1]


def test_the_weights_of_each_frame_sum_to_one_and_those_of_padding_to_zero():
    durations, padding_mask, hidden = ragged([[2, 0, 3], [1]])
    sums = build().plan(hidden, durations, padding_mask, 6).weights.sum(2)
    np.testing.assert_allclose(sums, [[1, 1, 1, 1, 1, 0], [1, 0, 0, 0, 0, 0]], rtol=1e-12)


def test_a_frame_in_the_middle_of_two_equal_phonemes_leans_to_neither():
    durations, padding_mask, hidden = ragged([[3, 3]])
    weights = build(frame_time="middle").plan(hidden, durations, padding_mask).weights[0]
    torch.testing.assert_close(weights, weights.flip(0, 1))


def test_squares_of_huge_distances_stay_exact_in_single_precision():
    # Next to the border of two phonemes of 40,000 frames both squares are near 4e8, where float32
    # knows multiples of 32 alone; their difference is 2 · 40,000 · (distance from the border).
    durations, padding_mask, hidden = ragged([[40_000, 40_000]], dtype=torch.float32)
    delta = 1e-5
    plan = build(delta=delta).plan(hidden, durations, padding_mask)
    for t in (39_999, 40_000, 40_001):
        share = 1 / (1 + math.exp(-delta * 2 * 40_000 * (t - 40_000)))
        assert plan.weights[0, t, 1].item() == pytest.approx(share, rel=1e-5)


@pytest.mark.parametrize("poison", [1e4, float("nan"), float("inf")])
def test_padding_and_phonemes_without_frames_may_hold_anything(poison):
    durations, padding_mask, hidden = ragged([[2, 0, 3], [1]])
    regulator = build()
    plan = regulator.plan(hidden, durations, padding_mask)
    dirty = hidden.masked_fill((durations == 0).unsqueeze(-1), poison)
    assert torch.equal(regulator.expand(plan, dirty), regulator.expand(plan, hidden))


def test_durations_at_padding_are_not_counted():
    durations, padding_mask, hidden = ragged([[2, 3], [1]])
    dirty = durations.masked_fill(padding_mask, 7)
    clean_plan, plan = (build().plan(hidden, each, padding_mask) for each in (durations, dirty))
    for clean, got in zip(pytree.tree_leaves(clean_plan), pytree.tree_leaves(plan), strict=True):
        assert torch.equal(clean, got)


def test_gradients_reach_every_phoneme_with_frames_and_no_other():
    durations, padding_mask, hidden = ragged([[2, 0, 3], [1]])
    hidden = hidden.requires_grad_()
    regulator = build()
    regulator.expand(regulator.plan(hidden, durations, padding_mask), hidden).sum().backward()
    assert torch.equal((hidden.grad != 0).all(2), durations > 0)


def test_one_plan_serves_tensors_of_other_widths_and_types():
    durations, padding_mask, hidden = ragged([[2, 3]])
    regulator = build()
    plan = regulator.plan(hidden, durations, padding_mask)
    pitch = torch.tensor([[[1.0], [2.0]]])
    expanded = regulator.expand(plan, pitch)
    assert expanded.shape == (1, 5, 1)
    assert expanded.dtype is torch.float32
    np.testing.assert_allclose(
        expanded[0], blended([2, 3], pitch[0].double().numpy(), 0.1, 0.0), rtol=1e-6
    )


def test_half_precision_is_weighed_in_single():
    durations, padding_mask, hidden = ragged([[3, 300, 3]], dtype=torch.bfloat16)
    weights = build().plan(hidden, durations, padding_mask).weights
    assert weights.dtype is torch.bfloat16
    exact = build().plan(hidden.double(), durations, padding_mask).weights
    torch.testing.assert_close(weights.double(), exact, rtol=2**-8, atol=1e-6)


def test_the_plan_of_another_regulator_is_refused():
    lengths = torch.tensor([1])
    other = Plan(lengths, torch.zeros(1, 1, dtype=torch.bool), lengths[None])
    with pytest.raises(TypeError, match=r"`plan` must be a `GaussianPlan`, not a `Plan`; call"):
        build().expand(other, torch.zeros(1, 1, 4))


@pytest.mark.parametrize(
    ("settings_of_it", "message"),
    [({"delta": 0.0}, "greater than 0"), ({"frame_time": "end"}, "'start' or 'middle'")],
)
def test_settings_without_sense_are_refused(settings_of_it, message):
    with pytest.raises(ValidationError, match=message):
        GaussianRegulatorParams(**settings_of_it)
