"""What the profiler says: report, table, memory statistics and trace."""

from __future__ import annotations

import json
import logging

import pytest
import torch

from kokoro_core.api import KokoroModel
from kokoro_plugins.profiler.gpu_profiler import GpuProfiler
from kokoro_plugins.profiler.params import GpuProfilerParams
from kokoro_plugins.profiler.table import render


@pytest.fixture
def measured(model, phoneme_indices, fake_device):
    """A profiler that has seen one call of known time and memory."""

    def forward(*args):
        fake_device.spend(0.25, keep=2**20, top=3 * 2**20)
        return args[0]

    model.acoustic.encoder.forward = forward
    profiler = GpuProfiler()
    with profiler.attach(model):
        model.acoustic.encoder(phoneme_indices, None)
    return profiler


def test_the_report_says_everything_in_seconds_and_bytes(measured):
    report = measured.report()
    (row,) = report.pop("rows")
    assert row.pop("host_s") >= 0
    assert row == {
        "slot": "encoder",
        "entry_point": "forward",
        "recomputed": False,
        "calls": 1,
        "total_s": 0.25,
        "mean_s": 0.25,
        "self_s": 0.25,
        "left_bytes": 2**20,
        "growth_bytes": 3 * 2**20,
        "peak_bytes": 100 + 3 * 2**20,
        "reserved_bytes": 1100 + 2**20,
        "saved_bytes": None,
    }
    assert report == {
        "device": "cpu",
        "clock": "fake clock",
        "peak_is": "fake peak",
        "memory": {
            "allocated_bytes": 100 + 2**20,
            "peak_bytes": 100 + 3 * 2**20,
            "reserved_bytes": 1100 + 2**20,
            "stages": [],
        },
    }
    assert json.loads(json.dumps(measured.report())) == measured.report()


def test_the_table_has_the_figures_of_the_report(measured):
    lines = measured.table().splitlines()
    (row,) = [line for line in lines if "encoder" in line]
    assert " ".join(row.split()) == "encoder forward 1 250.00 250.00 250.00 100.0 1.0 3.0 1.0 –"
    assert "1.0 MiB allocated, 3.0 MiB peak, 1.0 MiB reserved now" in measured.table()
    assert "fake clock" in measured.table()
    assert "fake peak" in measured.table()
    assert "\x1b" not in measured.table()


def test_a_long_name_and_large_figures_are_not_cut_off(measured):
    report = measured.report()
    slot = "encoder." + "very_" * 10 + "long"
    report["rows"][0] |= {"slot": slot, "total_s": 12345.678, "recomputed": True}
    assert slot in render(report)
    assert "12,345,678.00" in render(report)
    assert "forward (recomputed)" in render(report)


def test_a_profiler_that_saw_nothing_has_an_empty_table(fake_device):
    assert GpuProfiler().report()["rows"] == []
    assert "Entry point" in GpuProfiler().table()


def test_a_table_can_be_made_while_calls_are_running(model, phoneme_indices, fake_device):
    profiler, tables = GpuProfiler(), []

    def forward(*args):
        tables.append(profiler.table())
        return args[0]

    model.acoustic.encoder.forward = forward
    with profiler.attach(model):
        model.acoustic.encoder(phoneme_indices, None)
    assert tables[0].split()[tables[0].split().index("encoder") + 2] == "1"
    assert " – " in tables[0]


def test_memory_is_logged_under_the_name_of_a_stage(measured, caplog):
    with caplog.at_level(logging.INFO):
        first = measured.log_memory_stats("after the encoder")
    assert first == {
        "stage": "after the encoder",
        "allocated_bytes": 100 + 2**20,
        "peak_bytes": 100 + 3 * 2**20,
        "reserved_bytes": 1100 + 2**20,
    }
    assert caplog.messages == [
        "after the encoder: 1.0 MiB allocated, 3.0 MiB peak, 1.0 MiB reserved"
    ]
    measured.log_memory_stats("again")
    stages = measured.get_memory_summary()["stages"]
    assert [each["stage"] for each in stages] == ["after the encoder", "again"]


def test_resetting_the_peak_keeps_the_rows(measured, fake_device):
    measured.reset_peak_memory_stats()
    assert measured.get_memory_summary()["peak_bytes"] == 100 + 2**20
    assert measured.report()["rows"][0]["peak_bytes"] == 100 + 3 * 2**20
    fake_device.spend(0.0, top=7 * 2**20)
    assert measured.get_memory_summary()["peak_bytes"] == 100 + 8 * 2**20


def test_memory_can_be_asked_before_a_model_is_attached():
    profiler = GpuProfiler()
    profiler.reset_peak_memory_stats()
    summary = profiler.get_memory_summary()
    assert 0 < summary["allocated_bytes"] <= summary["peak_bytes"]


def test_a_model_on_another_device_needs_another_profiler(measured, model):
    with (
        pytest.raises(RuntimeError, match="has measured a model on `cpu` and cannot add one on `m"),
        measured.attach(model.to("meta")),
    ):
        pass


def test_a_profiler_that_has_only_been_asked_for_memory_can_watch_any_device(model, fake_device):
    profiler = GpuProfiler()
    profiler.get_memory_summary()
    fake_device.device = torch.device("mps")
    with pytest.raises(RuntimeError, match="on `mps`"), profiler.attach(model):
        pass
    fake_device.device = torch.device("cpu")
    with profiler.attach(model):
        pass


def test_the_trace_names_every_entry_point(model, phoneme_indices, tmp_path):
    profiler = GpuProfilerParams(trace=True).build()
    with profiler.attach(model):
        model(phoneme_indices)
        model.generate(phoneme_indices)
    profiler.export_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    names = [each.get("name") for each in events if each.get("ph") == "X"]
    assert names.count("encoder.forward") == 2
    assert names.count("decoder.step") == 5
    assert names.count("model.generate") == 1
    assert any(name.startswith("aten::") for name in names)
    with pytest.raises(RuntimeError, match=r"was written to `.*trace\.json`; copy it from there"):
        profiler.export_trace(tmp_path / "again.json")


def test_a_trace_that_was_not_recorded_or_cannot_be_written_is_an_error(
    model, phoneme_indices, tmp_path
):
    with pytest.raises(RuntimeError, match="has recorded no trace; build it with `trace=True`"):
        GpuProfiler().export_trace(tmp_path / "trace.json")
    profiler = GpuProfiler(trace=True)
    with profiler.attach(model):
        model(phoneme_indices)
        with pytest.raises(RuntimeError, match="end an `attach` block first"):
            profiler.export_trace(tmp_path / "trace.json")
    with pytest.raises(FileNotFoundError):
        profiler.export_trace(tmp_path / "none" / "trace.json")
    profiler.export_trace(tmp_path / "trace.json")


def test_the_real_model_is_measured_in_training_and_generation_and_left_alone():
    model = KokoroModel(
        vocab_size=63,
        mel_dim=8,
        hidden_dim=16,
        n_encoder_layers=2,
        n_decoder_layers=2,
        n_heads=2,
        encoder_ff_dim=32,
        decoder_ff_dim=32,
    )
    before = [dict(vars(each)) for each in model.modules()]
    indices, durations = torch.arange(1, 7).view(2, 3), torch.full((2, 3), 2)
    profiler = GpuProfiler()
    with profiler.attach(model):
        model(indices, torch.zeros(2, 6, 8), durations).loss.backward()
        model.eval().inference(indices, durations=durations, stop_threshold=1.0)
    model.train()
    assert all(old == vars(each) for old, each in zip(before, model.modules(), strict=True))
    rows = {(row["slot"], row["entry_point"]): row for row in profiler.report()["rows"]}
    calls = {".".join(key): row["calls"] for key, row in rows.items() if not row["recomputed"]}
    assert calls == {
        "model.forward": 1,
        "model.inference": 1,
        "model.generate": 1,
        "encoder.forward": 2,
        "duration_predictor.forward": 1,
        "regulator.plan": 2,
        "regulator.expand": 2,
        "decoder.forward": 1,
        "decoder.init_state": 1,
        "decoder.step": 6,
    }
    assert not any(row["recomputed"] for row in profiler.report()["rows"])
    generation = rows["model", "generate"]
    assert generation["total_s"] >= rows["decoder", "step"]["total_s"]
    assert rows["model", "inference"]["self_s"] < generation["total_s"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_real_model_is_measured_on_a_gpu():
    model = KokoroModel(hidden_dim=64, n_encoder_layers=1, n_decoder_layers=1).cuda()
    indices = torch.arange(1, 7, device="cuda").view(2, 3)
    durations = torch.full((2, 3), 2, device="cuda")
    profiler = GpuProfiler(nested=True)
    with profiler.attach(model):
        model(indices, torch.zeros(2, 6, 80, device="cuda"), durations).loss.backward()
    rows = {row["slot"]: row for row in profiler.report()["rows"] if row["slot"] == "decoder"}
    assert rows["decoder"]["total_s"] > 0
    assert rows["decoder"]["growth_bytes"] > 0
    assert any(row["recomputed"] for row in profiler.report()["rows"])
