"""With the number of frames given nothing waits for the device: on meta no value can be read."""

from __future__ import annotations

import pytest
import torch

from kokoro_core.cost.estimate import Workload
from kokoro_core.model.assembly import assemble
from kokoro_core.model.losses import training_losses, weigh
from kokoro_core.spec.load import load_spec

SMALL = {
    "hidden_dim": 16,
    "encoder.num_layers": 1,
    "decoder.num_layers": 1,
    "gradient_checkpointing": None,
}


@pytest.mark.parametrize("name", ["repeat", "gaussian"])
def test_a_regulator_reads_no_value_where_the_frames_are_given(name: str) -> None:
    spec = load_spec("small", overrides={"hidden_dim": 16, "regulator.type": name})
    assert spec.regulator is not None
    regulator = spec.regulator.build(spec.sizes)
    batch = Workload(3, 5, 20).batch(spec, "meta")
    assert batch.durations is not None
    hidden = torch.empty(3, 5, 16, device="meta")
    plan = regulator.plan(hidden, batch.durations, batch.padding_mask, 20)
    assert regulator.expand(plan, hidden).shape == (3, 20, 16)
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        regulator.plan(hidden, batch.durations, batch.padding_mask)


@pytest.mark.parametrize("name", ["small", "parallel", "mixed"])
def test_a_training_step_reads_no_value(name: str) -> None:
    spec = load_spec(name, overrides=SMALL)
    model = assemble(spec, device="meta").train()
    batch = Workload(3, 5, 20).batch(spec, "meta")
    prediction = model(batch)
    weigh(training_losses(prediction, batch, spec.loss), spec.loss).backward()
    assert all(each.grad is not None for each in model.parameters())
