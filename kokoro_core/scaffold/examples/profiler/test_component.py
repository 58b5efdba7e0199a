"""What the component counts, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.scaffold.examples.profiler.params import ExampleParams

STACK = {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16}


@pytest.fixture
def model() -> KokoroModel:
    spec = {"vocab_size": 11, "mel_dim": 6, "hidden_dim": 16, "encoder": STACK, "decoder": STACK}
    parts = {"duration_predictor": {"type": "mlp"}, "regulator": {"type": "repeat"}}
    return KokoroModel.from_spec({**spec, **parts}).eval()


def test_each_part_is_counted_and_the_model_stays_as_it_was(
    model: KokoroModel, tmp_path: Path
) -> None:
    profiler = ExampleParams().build()
    before = {name: set(vars(part)) for name, part in model.named_modules()}
    phonemes, durations = torch.tensor([[3, 4, 5]]), torch.tensor([[2, 3, 1]])
    with profiler.attach(model):
        for _ in range(2):
            model(phonemes, torch.randn(1, 6, 6), durations)
    model(phonemes, torch.randn(1, 6, 6), durations)
    calls = {name: row["calls"] for name, row in profiler.report().items()}
    assert calls["encoder.forward"] == calls["regulator.plan"] == calls["decoder.forward"] == 2
    assert "encoder.forward" in profiler.table()
    assert {name: set(vars(part)) for name, part in model.named_modules()} == before
    profiler.export_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert len(events) == sum(calls.values())


def test_a_trace_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Nothing was recorded; call the model"):
        ExampleParams().build().export_trace(tmp_path / "trace.json")
