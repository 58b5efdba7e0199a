"""The MLP predictor and the repeat regulator."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.contracts import Plan
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_plugins.transformer.mlp import MlpDurationPredictor
from kokoro_plugins.transformer.repeat import RepeatRegulator

durations_rows = st.lists(
    st.lists(st.integers(0, 7), min_size=1, max_size=5).filter(any), min_size=1, max_size=4
)


@given(rows=durations_rows, extra=st.integers(0, 3), given_frames=st.booleans())
@example(rows=[[0, 0, 1], [7, 7]], extra=2, given_frames=True)
@example(rows=[[1]], extra=0, given_frames=False)
def test_repeating_is_repeat_interleave_row_by_row(
    rows: list[list[int]], extra: int, given_frames: bool
) -> None:
    width, longest = max(map(len, rows)), max(map(sum, rows))
    durations = torch.tensor([row + [9] * (width - len(row)) for row in rows])
    mask = padding_mask_from_lengths(torch.tensor([len(row) for row in rows]), width)
    x = torch.randn(len(rows), width, 3, dtype=torch.float64)
    regulator = RepeatRegulator()
    num = longest + extra if given_frames else None
    plan = regulator.plan(x, durations, mask, num)
    found = regulator.expand(plan, x)
    assert found.shape == (len(rows), num or longest, 3)
    assert plan.lengths.tolist() == [sum(row) for row in rows]
    for index, row in enumerate(rows):
        expected = x[index, : len(row)].repeat_interleave(torch.tensor(row), dim=0)
        assert torch.equal(found[index, : sum(row)], expected)
        assert (found[index, sum(row) :] == 0).all()
        assert plan.padding_mask[index].tolist() == [
            t >= sum(row) for t in range(plan.padding_mask.shape[1])
        ]


def test_one_plan_serves_several_tensors() -> None:
    regulator = RepeatRegulator()
    durations, mask = torch.tensor([[2, 1]]), torch.zeros(1, 2, dtype=torch.bool)
    plan = regulator.plan(torch.zeros(1, 2, 4), durations, mask)
    pitch = regulator.expand(plan, torch.tensor([[[1.0], [2.0]]]))
    assert pitch.flatten().tolist() == [1.0, 1.0, 2.0]


def test_the_gradient_of_a_repeated_vector_is_the_number_of_its_frames() -> None:
    regulator = RepeatRegulator()
    durations, mask = torch.tensor([[2, 0, 3, 9]]), torch.tensor([[False, False, False, True]])
    x = torch.randn(1, 4, 2, requires_grad=True)
    regulator.expand(regulator.plan(x, durations, mask), x).sum().backward()
    assert x.grad is not None
    assert x.grad[0, :, 0].tolist() == [2.0, 0.0, 3.0, 0.0]


def test_the_plan_of_another_regulator_is_refused() -> None:
    plan = Plan(torch.ones(1), torch.zeros(1, 1, dtype=torch.bool), torch.ones(1, 1))
    with pytest.raises(TypeError, match="of the same regulator made, not a `Plan`"):
        RepeatRegulator().expand(plan, torch.zeros(1, 1, 2))


@pytest.mark.parametrize(("width", "parameters"), [(256, 98_817), (512, 394_241)])
def test_the_seeds_predictor_has_the_seeds_parameters(width: int, parameters: int) -> None:
    predictor = MlpDurationPredictor(hidden_dim=width)
    assert sum(each.numel() for each in predictor.parameters()) == parameters
    assert parameters == width * width + width + width * width // 2 + width // 2 + width // 2 + 1


def test_the_seeds_predictor_looks_at_each_phoneme_alone() -> None:
    predictor = MlpDurationPredictor(hidden_dim=8).double().eval()
    hidden = torch.randn(2, 3, 8, dtype=torch.float64)
    mask = torch.tensor([[False, False, False], [False, True, True]])
    prediction = predictor(hidden, mask).duration_pred
    one, two, three = (predictor.layers[index] for index in (0, 3, 6))
    expected = three(torch.relu(two(torch.relu(one(hidden))))).squeeze(-1)
    torch.testing.assert_close(prediction[~mask], expected[~mask], atol=1e-9, rtol=0)
    assert (prediction[mask] == 0).all()
    frames = predictor.frames(hidden, mask)
    wanted = (expected.exp() - 1).clamp_min(0).masked_fill(mask, 0)
    torch.testing.assert_close(frames, wanted, atol=1e-9, rtol=0)
