"""The state of a decoder as inputs and outputs of graphs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from kokoro_core.contracts import State
from kokoro_core.exporting.inputs import graph_inputs
from kokoro_core.exporting.stepping import PlanGraph, StepGraph, leaves, with_leaves
from kokoro_core.nn.cache import KeyValueCache
from tests.kokoro_core.exporting.small import NARROW, long_phonemes, small_model


@dataclass
class Kept(State):
    position: int
    mask: Tensor | None
    own: tuple[KeyValueCache, ...]
    more: dict[str, float]


def kept(position: int, room: int) -> Kept:
    cache = KeyValueCache(torch.zeros(1, 2, room, 4), torch.ones(1, 2, room, 4), room)
    return Kept(position, None, (cache,), {"scale": 0.5})


def test_a_state_is_its_tensors_and_whole_numbers_by_name():
    found = leaves("state", kept(3, 5))
    assert list(found) == ["state_position", "state_own_0_keys", "state_own_0_values"]
    assert found["state_position"] == 3


def test_a_state_takes_others_and_a_cache_has_room_for_what_it_is_given():
    other = leaves("state", kept(4, 9))
    made = with_leaves("state", kept(3, 5), {**other, "state_mask": torch.ones(1, 1)})
    assert (made.position, made.own[0].max_len, made.more) == (4, 9, {"scale": 0.5})
    assert made.own[0].values is other["state_own_0_values"]
    assert torch.equal(made.mask, torch.ones(1, 1))


@pytest.fixture(scope="module")
def model() -> Any:
    model = small_model("small", **NARROW, frontend=None)
    return long_phonemes(model)


def planned(model: Any) -> tuple[PlanGraph, dict[str, Tensor]]:
    plan = PlanGraph(model, graph_inputs(model, {}, 11))
    with torch.no_grad():
        return plan, plan(torch.tensor([[5, 9, 2, 7]]), torch.ones(1), {})


def test_steps_from_a_plan_make_what_the_model_makes(model):
    plan, made = planned(model)
    step, frames, parts = StepGraph(model, plan.state), torch.zeros(1, 1, 80), []
    state: dict[str, Any] = {
        name.removeprefix("state_"): each if each.dim() else int(each)
        for name, each in made.items()
        if name.startswith("state_")
    }
    for name in ("own_0_keys", "own_0_values"):
        state[name] = state[name].new_zeros(1, 2, int(made["frames"]), 8)
    with torch.no_grad():
        for _ in range(int(made["frames"])):
            after = step(frames, state)
            frames = after["mel"]
            parts.append(frames)
            for name, each in after.items():
                if name.startswith("next_"):
                    state[name.removeprefix("next_")] = each if each.dim() else int(each)
    expected = model.generate(torch.tensor([[5, 9, 2, 7]]), stop_threshold=1.0)
    assert torch.equal(made["durations"], expected.durations)
    torch.testing.assert_close(torch.cat(parts, dim=1), expected.mel, rtol=1e-5, atol=1e-5)


def test_a_step_leaves_its_inputs_as_they_are(model):
    plan, made = planned(model)
    state = {
        name.removeprefix("state_"): each if each.dim() else int(each)
        for name, each in made.items()
        if name.startswith("state_")
    }
    tensors = {name: each for name, each in state.items() if isinstance(each, Tensor)}
    before = {name: each.clone() for name, each in tensors.items()}
    with torch.no_grad():
        StepGraph(model, plan.state)(torch.ones(1, 1, 80), state)
    assert all(torch.equal(each, tensors[name]) for name, each in before.items())


def test_a_step_gives_back_what_it_is_told_that_changes(model):
    plan, made = planned(model)
    state = {
        name.removeprefix("state_"): each if each.dim() else int(each)
        for name, each in made.items()
        if name.startswith("state_")
    }
    step = StepGraph(model, plan.state)
    step.changing = frozenset({"state_position"})
    with torch.no_grad():
        after = step(torch.ones(1, 1, 80), state)
    assert after.keys() == {"mel", "ends", "next_position"}
    assert (after["next_position"].tolist(), after["ends"].shape) == (1, (1, 1))
