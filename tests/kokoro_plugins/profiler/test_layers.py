"""Layers inside slots, cached steps among them, and bytes kept for the backward pass."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from kokoro_core.api import KokoroModel
from kokoro_core.contracts import Encoder
from kokoro_plugins.profiler.gpu_profiler import GpuProfiler
from kokoro_plugins.profiler.params import GpuProfilerParams

TINY = {
    "hidden_dim": 16,
    "mel_dim": 4,
    "audio": None,
    "vocoder": None,
    "gradient_checkpointing": None,
    "duration_predictor.dropout": 0.0,
    **{
        f"{stack}.{name}": value
        for stack in ("encoder", "decoder")
        for name, value in (("num_layers", 2), ("num_heads", 2), ("ff_dim", 24), ("dropout", 0.0))
    },
}


@pytest.fixture
def speaker() -> KokoroModel:
    torch.manual_seed(0)
    return KokoroModel.from_spec("small", overrides=TINY)


@pytest.fixture
def batch():
    """Two rows of three phonemes and nine frames."""
    durations = torch.full((2, 3), 3)
    return torch.ones(2, 3, dtype=torch.int64), torch.randn(2, 9, 4), durations


def calls(profiler):
    return Counter(
        {
            (row["slot"], row["entry_point"], row["recomputed"]): row["calls"]
            for row in profiler.report()["rows"]
            if "layers" in row["slot"]
        }
    )


def test_every_layer_is_a_row_in_training(speaker, batch):
    profiler = GpuProfiler(layers=True)
    with profiler.attach(speaker):
        speaker(*batch).loss.backward()
    slots = [f"{stack}.layers.{index}" for stack in ("encoder", "decoder") for index in (0, 1)]
    assert calls(profiler) == {(slot, "forward", False): 1 for slot in slots}


def test_every_layer_is_a_row_at_every_step_of_generation(speaker, batch):
    profiler = GpuProfiler(layers=True)
    with profiler.attach(speaker):
        speaker.eval().generate(batch[0], durations=batch[2], stop_threshold=1.0)
    assert calls(profiler) == {
        ("encoder.layers.0", "forward", False): 1,
        ("encoder.layers.1", "forward", False): 1,
        ("decoder.layers.0", "step", False): 9,
        ("decoder.layers.1", "step", False): 9,
    }


def test_steps_are_seen_also_where_the_decoder_has_spoken_before(speaker, batch):
    speaker.eval().generate(batch[0], durations=batch[2], stop_threshold=1.0)
    profiler = GpuProfiler(layers=True)
    with profiler.attach(speaker):
        speaker.generate(batch[0], durations=batch[2], stop_threshold=1.0)
    assert calls(profiler)["decoder.layers.1", "step", False] == 9


def test_speaking_in_another_type_is_right_with_a_profiler_and_after_it(speaker, batch):
    def speak():
        speaker.eval()
        options = {"durations": batch[2], "stop_threshold": 1.0, "dtype": torch.bfloat16}
        return speaker.generate(batch[0], **options).mel

    with GpuProfiler(layers=True, nested=True).attach(speaker):
        watched = speak()
    kept = speak()
    torch.manual_seed(0)
    other = KokoroModel.from_spec("small", overrides=TINY).eval()
    other.load_state_dict(speaker.state_dict())
    speaker = other
    assert torch.equal(watched, speak())
    assert torch.equal(kept, watched)


def test_layers_that_checkpointing_runs_again_are_rows_of_their_own(batch):
    changes = {**TINY, "gradient_checkpointing": {"segments": 2}}
    speaker = KokoroModel.from_spec("small", overrides=changes)
    profiler = GpuProfiler(layers=True)
    with profiler.attach(speaker):
        speaker(*batch).loss.backward()
    assert calls(profiler)["decoder.layers.0", "forward", True] == 1
    assert calls(profiler)["decoder.layers.0", "forward", False] == 1
    # The last stack's last segment is where the way back begins, so it is kept.
    assert calls(profiler)["decoder.layers.1", "forward", True] == 0


def test_watching_layers_changes_no_bit_of_mels_and_gradients(speaker, batch):
    def everything():
        speaker.train().zero_grad()
        speaker(*batch).loss.backward()
        gradients = [each.grad.clone() for each in speaker.parameters()]
        mel = speaker.eval().generate(batch[0], durations=batch[2], stop_threshold=1.0).mel
        return [mel, *gradients]

    plain = everything()
    with GpuProfiler(layers=True, saved=True).attach(speaker):
        watched = everything()
    assert all(torch.equal(one, other) for one, other in zip(plain, watched, strict=True))


def test_layers_and_their_classes_are_as_they_were_also_after_an_exception(speaker, batch):
    def state():
        kinds = {type(each) for each in speaker.modules()}
        return (
            [dict.fromkeys(vars(each)) for each in speaker.modules()],
            {kind: (vars(kind).get("forward"), vars(kind).get("step")) for kind in kinds},
        )

    before = state()
    with GpuProfiler(layers=True).attach(speaker):
        assert state() != before
        speaker(*batch)
    assert state() == before
    with pytest.raises(IndexError), GpuProfiler(layers=True).attach(speaker):
        speaker.acoustic.encoder(torch.full((1, 3), 99), torch.zeros(1, 3, dtype=torch.bool))
    assert state() == before


def test_a_layer_of_another_model_of_the_same_class_is_not_watched(speaker, batch):
    other = KokoroModel.from_spec("small", overrides=TINY)
    profiler = GpuProfiler(layers=True)
    with profiler.attach(speaker):
        other(*batch)
    assert profiler.report()["rows"] == []


def test_the_time_in_layers_is_not_the_slots_own(fake_device):
    class Slow(nn.Module):
        def forward(self, x):
            fake_device.spend(2.0)
            return x

    class Stack(Encoder):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([Slow(), Slow()])

        def forward(self, phoneme_indices, padding_mask):
            fake_device.spend(1.0)
            for block in self.blocks:
                phoneme_indices = block(phoneme_indices)
            return phoneme_indices

    model = nn.Module()
    model.encoder = Stack()
    profiler = GpuProfiler(layers=True)
    with profiler.attach(model):
        model.encoder(torch.ones(1, 1), None)
    rows = {row["slot"]: (row["total_s"], row["self_s"]) for row in profiler.report()["rows"]}
    assert rows == {
        "encoder": (5.0, 1.0),
        "encoder.blocks.0": (2.0, 2.0),
        "encoder.blocks.1": (2.0, 2.0),
    }


class Keeping(Encoder):
    """A layer that keeps its result (tanh) beside one that keeps its input (square)."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 8))

    def forward(self, phoneme_indices, padding_mask):
        turned = phoneme_indices @ self.weight  # keeps its input, once given, and the parameter
        kept = torch.tanh(turned)
        return (kept * kept).sum()  # keeps what tanh has kept already


def test_saved_bytes_are_those_of_the_storages_that_autograd_keeps():
    model = nn.Module()
    model.encoder = Keeping()
    profiler = GpuProfiler(saved=True)
    x = torch.randn(4, 8)
    with profiler.attach(model):
        for _ in range(2):
            model.encoder(x, None).backward()
    [row] = profiler.report()["rows"]
    assert row["saved_bytes"] == 2 * (4 * 8 * 4 + 4 * 8 * 4)


def test_each_layer_has_the_bytes_that_it_keeps(speaker, batch):
    profiler = GpuProfiler(layers=True, saved=True)
    with profiler.attach(speaker):
        speaker(*batch).loss.backward()
    saved = {row["slot"]: row["saved_bytes"] for row in profiler.report()["rows"]}
    assert saved["encoder.layers.0"] == saved["encoder.layers.1"] > 0
    # The first of them is charged with what both keep of the memory: less than a vector a frame,
    # since it is projected once a phoneme and once a position.
    memory = 2 * 9 * 16 * 4
    assert 0 < saved["decoder.layers.0"] - saved["decoder.layers.1"] < memory
    assert saved["decoder.layers.1"] > saved["encoder.layers.1"]
    assert "decoder.layers.1" in profiler.table()


def test_checkpointed_layers_keep_nothing_but_what_enters_a_segment(batch):
    changes = {**TINY, "gradient_checkpointing": {"segments": 2}}
    speaker = KokoroModel.from_spec("small", overrides=changes)
    profiler = GpuProfiler(layers=True, saved=True)
    with profiler.attach(speaker):
        speaker(*batch).loss.backward()
    rows = {(row["slot"], row["recomputed"]): row for row in profiler.report()["rows"]}
    assert rows["decoder.layers.0", False]["saved_bytes"] is None
    assert rows["decoder", False]["saved_bytes"] > 0


def test_the_settings_reach_the_profiler(speaker, batch):
    profiler = GpuProfilerParams(layers=True, saved=True).build()
    with profiler.attach(speaker):
        speaker(*batch)
    assert calls(profiler)["encoder.layers.0", "forward", False] == 1
    assert any(row["saved_bytes"] for row in profiler.report()["rows"])
