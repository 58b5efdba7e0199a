"""Multiply-adds and the memory of training, against formulas and against what autograd saves."""

from __future__ import annotations

import weakref
from typing import Any, cast

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel

from kokoro_core.api import KokoroModel
from kokoro_core.cost.estimate import CannotMeasure, Workload, cost, multiply_adds, saved_bytes
from kokoro_core.model.assembly import assemble
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.tree.model_spec import ModelSpec

SMALL = {
    "hidden_dim": 32,
    "encoder.ff_dim": 64,
    "encoder.num_layers": 3,
    "decoder.ff_dim": 48,
    "decoder.num_layers": 3,
}
TOLERANCE = 0.02
"""The estimate and what is measured on the CPU differ by less than this share."""


def small(name: str = "small", **more: Any) -> ModelSpec:
    return load_spec(name, overrides={**SMALL, **more})


def attention(queries: int, keys: int, width: int) -> int:
    """Multiply-adds of attention: projections of queries, keys and values, two products, output."""
    projections = queries * width**2 + 2 * keys * width**2 + queries * width**2
    return projections + 2 * queries * keys * width


def test_the_multiply_adds_are_those_of_the_formulas() -> None:
    spec, work = small(), Workload(1, 10, 60)
    n, t, h, m = 10, 60, 32, 80
    counted = multiply_adds(assemble(spec, device="meta"), spec, work)
    assert counted == {
        "encoder": 3 * (attention(n, n, h) + 2 * n * h * 64),
        "duration_predictor": n * (h * h + h * h // 2 + h // 2),
        "regulator": 0,
        "decoder": t * m * h
        + 3 * (attention(t, t, h) + attention(t, t, h) + 2 * t * h * 48)
        + t * h * m
        + t * h,
    }


def test_a_gaussian_regulator_and_a_postnet_have_their_own_counts() -> None:
    spec = small("mixed", **{"postnet": {"type": "conv", "channels": 16, "num_layers": 5}})
    counted = multiply_adds(assemble(spec, device="meta"), spec, Workload(1, 10, 60))
    assert counted["regulator"] == 60 * 10 * 32  # weights (T, N) times hidden (N, H)
    assert counted["postnet"] == 60 * 5 * (80 * 16 + 3 * 16 * 16 + 16 * 80)


def test_the_cost_is_that_of_one_frame_of_the_workload() -> None:
    spec, work = small(), Workload(4, 10, 60)
    counted = multiply_adds(assemble(spec, device="meta"), spec, work)
    found = cost(spec, work)["multiply_adds_per_frame"]
    assert found["slots"] == {slot: round(each / 60) for slot, each in counted.items()}
    assert found["total"] == sum(found["slots"].values())


class Held:
    """What autograd holds in the place of a tensor."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def measured_bytes(spec: ModelSpec, work: Workload) -> int:
    """Run a training step with values on the CPU and add up what autograd holds after it."""
    model = KokoroModel.from_spec(spec).train()
    held: weakref.WeakSet[Held] = weakref.WeakSet()

    def pack(tensor: torch.Tensor) -> Held:
        held.add(packed := Held(tensor))
        return packed

    phonemes = torch.randint(1, spec.vocab_size, (work.rows, work.phonemes))
    durations = torch.full(phonemes.shape, work.frames // work.phonemes)
    mel = torch.randn(work.rows, work.frames, spec.mel_dim)
    with saved_tensors_hooks(pack, lambda each: each.tensor), sdpa_kernel(SDPBackend.MATH):
        output = model(phonemes, mel, durations)
    storages = [each.tensor.untyped_storage() for each in held]
    sizes = {each.data_ptr(): each.nbytes() for each in storages}
    for weight in model.parameters():
        sizes.pop(weight.untyped_storage().data_ptr(), None)
    assert output.loss.requires_grad
    return sum(sizes.values())


@pytest.mark.parametrize("checkpointing", [None, {"segments": 2}])
@pytest.mark.parametrize("name", ["small", "parallel", "mixed"])
def test_the_estimate_is_what_a_step_with_values_saves(name: str, checkpointing: Any) -> None:
    more = {"gradient_checkpointing": checkpointing, "postnet": {"type": "conv", "channels": 16}}
    spec, work = small(name, **more), Workload(3, 8, 48)
    estimated = cost(spec, work)["training_memory"]["activations"]["total"]
    assert estimated == pytest.approx(measured_bytes(spec, work), rel=TOLERANCE)


def test_recomputing_saves_memory_in_total_and_works_with_more_at_once() -> None:
    work = Workload(2, 8, 48)
    spec = small(gradient_checkpointing={"segments": 3})
    whole = small(gradient_checkpointing=None)
    kept, everything = (cost(each, work)["training_memory"] for each in (spec, whole))
    for slot in ("encoder", "decoder"):
        assert kept["activations"]["slots"][slot] < everything["activations"]["slots"][slot]
    assert kept["total"] < everything["total"]


def test_weights_gradients_and_the_optimizer_are_four_bytes_a_number() -> None:
    spec = load_spec("small")
    memory = cost(spec, Workload(1, 2, 3))["training_memory"]
    assert memory["weights"] == memory["gradients"] == 4 * 5_687_122
    assert memory["optimizer"] == 8 * 5_687_122
    parts = ("weights", "gradients", "optimizer", "working")
    assert memory["total"] == sum(memory[each] for each in parts) + memory["activations"]["total"]


def test_measuring_leaves_the_model_as_it_was() -> None:
    spec = small(gradient_checkpointing={"segments": 2})
    model = assemble(spec, device="meta").eval()
    saved_bytes(model, Workload(1, 2, 6).batch(spec, "meta"), spec.loss)
    multiply_adds(model, spec, Workload(1, 2, 6))
    assert not model.training
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in model.modules())


def test_a_model_that_needs_side_inputs_is_refused_by_name() -> None:
    spec = small()
    needy = type("Needy", (type(spec.encoder),), {"needs": property(lambda _: {"speaker"})})
    encoder = cast("Any", needy).model_construct(**dict(spec.encoder))
    with pytest.raises(CannotMeasure, match="`small` needs the side inputs `speaker`"):
        cost(spec.model_copy(update={"encoder": encoder}))


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, -2)])
def test_a_workload_holds_something(sizes: tuple[int, int, int]) -> None:
    rule = r"`(rows|phonemes|frames)` must be from 1 to 1,000,000, not "
    with pytest.raises(ValueError, match=rule):
        Workload(*sizes)


def test_durations_of_a_workload_sum_to_its_frames() -> None:
    batch = Workload(2, 7, 31).batch(small(), "cpu")
    assert batch.durations is not None
    assert batch.durations.sum(1).tolist() == [31, 31]
