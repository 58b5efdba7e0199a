"""Each check finds the fault that it stands for, in a component that is broken on purpose."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from kokoro_core.contracts import DecoderOutput, Postnet
from kokoro_core.masks import zero_padding
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.testing import RaggedBatch, checks, decoding
from kokoro_core.testing.probes import DurationPredictorProbe, PostnetProbe, make_probe
from tests.properties.components import NUM_HEADS, SIZES, cases, encoding_params, tiny_probe

BATCH = RaggedBatch((3, 6, 2), extra=2)
DECODER = "decoder/transformer/pre"


class BrokenPostnet(Postnet):
    """Adds a linear layer to the mel and does one thing wrong."""

    def __init__(self, fault):
        super().__init__()
        self.fault = fault
        self.linear = nn.Linear(SIZES.mel_dim, SIZES.mel_dim)
        self.spare = nn.Parameter(torch.ones(1)) if fault == "unused parameter" else None
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, mel, padding_mask):
        clean = zero_padding(mel, padding_mask)
        out = zero_padding(clean + self.linear(clean), padding_mask)
        return getattr(self, "_" + self.fault.replace(" ", "_"), lambda *_: out)(
            mel, out, padding_mask
        )

    def _sound(self, mel, out, padding_mask):
        return out

    def _none_at_padding(self, mel, out, padding_mask):
        return mel + self.linear(zero_padding(mel, padding_mask))

    def _mean_over_padding(self, mel, out, padding_mask):
        return zero_padding(out + out.mean(1, keepdim=True), padding_mask)

    def _mean_over_rows(self, mel, out, padding_mask):
        return zero_padding(out + out.mean((0, 1)), padding_mask)

    def _product_with_the_mask(self, mel, out, padding_mask):
        return (mel + self.linear(mel)) * ~padding_mask.unsqueeze(-1)

    def _a_frame_ignored(self, mel, out, padding_mask):
        return zero_padding(
            torch.cat([self.linear.bias + out[:, :1] * 0, out[:, 1:]], 1), padding_mask
        )

    def _detached(self, mel, out, padding_mask):
        return zero_padding(out.detach() + self.linear.weight.sum(), padding_mask)

    def _dropout_in_evaluation(self, mel, out, padding_mask):
        return nn.functional.dropout(out, 0.5, training=True)

    def _a_counter(self, mel, out, padding_mask):
        self.calls += 1
        return out

    def _a_hidden_counter(self, mel, out, padding_mask):
        self.hidden = getattr(self, "hidden", 0) + 1
        return out * self.hidden

    def _input_written_to(self, mel, out, padding_mask):
        with torch.no_grad():
            mel.add_(1)
        return out

    def _half_precision(self, mel, out, padding_mask):
        return out.float()

    def _another_training_mode(self, mel, out, padding_mask):
        return 2 * out if self.training else out

    def _one_frame_less(self, mel, out, padding_mask):
        return out[:, :-1]


FAULTS = [
    ("none at padding", checks.check_padding_is_zero, "`refined` must be 0 at padding"),
    ("mean over padding", checks.check_row_alone, "the same alone and in a batch"),
    ("mean over rows", checks.check_row_alone, "the same alone and in a batch"),
    ("product with the mask", checks.check_padding_may_hold_anything, "padding holds, here nan"),
    ("a frame ignored", checks.check_inputs_matter, "`mel` must matter at each valid step"),
    ("detached", checks.check_inputs_matter, "`mel` must reach the output"),
    ("unused parameter", checks.check_parameters_learn, "parameter `spare` must get a gradient"),
    ("dropout in evaluation", checks.check_evaluation_is_pure, "Evaluation must draw nothing"),
    ("a hidden counter", checks.check_evaluation_is_pure, "must be the same twice"),
    ("a counter", checks.check_evaluation_is_pure, "must not change `calls`"),
    ("input written to", checks.check_evaluation_is_pure, "`mel` must not be written to"),
    ("half precision", checks.check_shapes, "must keep float64, not torch.float32"),
    ("one frame less", checks.check_shapes, r"must have the shape \(3, 8, 6\)"),
    ("another training mode", checks.check_training_equals_evaluation, "same in training mode"),
]
ALL_CHECKS = {check for _, check, _ in FAULTS}


@pytest.mark.parametrize(("fault", "check", "message"), FAULTS, ids=[fault for fault, *_ in FAULTS])
def test_a_fault_is_found_and_named(fault, check, message):
    with pytest.raises(AssertionError, match=message):
        check(PostnetProbe(BrokenPostnet(fault), SIZES), BATCH)


@pytest.mark.parametrize("check", sorted(ALL_CHECKS, key=lambda each: each.__name__))
def test_a_sound_component_raises_no_alarm(check):
    check(PostnetProbe(BrokenPostnet("sound"), SIZES), BATCH)


def test_a_decoder_that_sees_the_frame_it_makes_is_found(monkeypatch):
    probe = tiny_probe(DECODER)
    decoder = probe.component
    honest = type(decoder).forward

    def peeking(self, memory, memory_padding_mask, mel_specs, mel_padding_mask):
        output = honest(self, memory, memory_padding_mask, mel_specs, mel_padding_mask)
        mel = zero_padding(output.mel + 1e-6 * mel_specs, mel_padding_mask)
        return DecoderOutput(mel, output.stop_logits)

    monkeypatch.setattr(type(decoder), "forward", peeking)
    with pytest.raises(AssertionError, match="`mel` must not know frame 0 before step 1"):
        decoding.check_causality(probe, BATCH)


def test_a_decoder_deaf_to_the_frames_before_is_found(monkeypatch):
    probe = tiny_probe(DECODER)
    monkeypatch.setattr(
        probe.component.frame_in, "forward", lambda x: x.new_zeros(*x.shape[:2], 16)
    )
    with pytest.raises(AssertionError, match="Step 1 must know frame 0"):
        decoding.check_causality(probe, BATCH)


def test_a_step_that_forgets_its_position_is_found(monkeypatch):
    probe = tiny_probe(DECODER)
    decoder = probe.component
    honest = type(decoder).step

    def forgetful(self, frames, state):
        made = honest(self, frames, state)
        state.position -= 1
        return made

    monkeypatch.setattr(type(decoder), "step", forgetful)
    with pytest.raises(AssertionError, match="`mel` must be the same step by step"):
        decoding.check_step_equals_forward(probe, BATCH, [2, 1, 5])


def test_a_fork_that_shares_memory_is_found(monkeypatch):
    probe = tiny_probe(DECODER)
    no_padding = torch.zeros(1, 1, dtype=torch.bool)
    state = probe.component.init_state(torch.zeros(1, 1, 16).double(), no_padding, 1)
    # A copy of the dataclass, but not of the tensors that it holds.
    monkeypatch.setattr(type(state), "select", lambda self, rows: replace(self))
    with pytest.raises(AssertionError, match="`mel` must be the same step by step"):
        decoding.check_fork(probe, RaggedBatch((6, 6)), [2, 2, 2], [0, 1], fork_after=1)


def test_a_fork_that_forgets_the_order_of_its_rows_is_found(monkeypatch):
    probe = tiny_probe(DECODER)
    no_padding = torch.zeros(1, 1, dtype=torch.bool)
    state = probe.component.init_state(torch.zeros(1, 1, 16).double(), no_padding, 1)
    honest = type(state).select
    monkeypatch.setattr(type(state), "select", lambda self, rows: honest(self, rows.sort().values))
    with pytest.raises(AssertionError, match="`mel` must be the same step by step"):
        decoding.check_fork(probe, BATCH, [2, 2, 4], [1, 0], fork_after=1)


def test_a_stack_that_is_recomputed_with_other_dropout_is_found(monkeypatch):
    probe = tiny_probe("encoder/transformer/pre", dropout=0.4)

    def fresh(function, *args, use_reentrant):
        return torch.utils.checkpoint.checkpoint(
            function, *args, use_reentrant=use_reentrant, preserve_rng_state=False
        )

    monkeypatch.setattr("kokoro_core.nn.stack.checkpoint", fresh)
    assert any(isinstance(part, CheckpointedStack) for part in probe.component.modules())
    with pytest.raises(AssertionError, match=r"gradient of .* must be the same with 2 segments"):
        checks.check_checkpointing(probe, BATCH, 2)


@pytest.mark.parametrize("case", cases("regulator"))
def test_a_regulator_that_is_one_frame_late_is_found(case, monkeypatch):
    probe = tiny_probe(case)
    honest = type(probe.component).expand
    monkeypatch.setattr(
        type(probe.component), "expand", lambda self, plan, x: honest(self, plan, x).roll(1, 1)
    )
    with pytest.raises(AssertionError, match="What is the same in all phonemes"):
        checks.check_durations(probe, [[2, 0, 1], [1, 1, 0]])


@pytest.mark.parametrize(
    ("name", "method", "promise"),
    [("learned", "add", "`add`"), ("rotary", "rotate", "`rotate`"), ("alibi", "bias", "A bias")],
)
def test_an_encoding_that_counts_from_zero_is_found(name, method, promise, monkeypatch):
    encoding = encoding_params(name).build(hidden_dim=16, num_heads=NUM_HEADS).double()
    honest = getattr(encoding, method)

    def from_zero(*args):
        positions = [torch.arange(len(each)) if each.dim() == 1 else each for each in args]
        return honest(*positions)

    monkeypatch.setattr(encoding, method, from_zero)
    with pytest.raises(AssertionError, match=promise):
        decoding.check_position_offset(
            encoding, hidden_dim=16, num_heads=NUM_HEADS, length=6, start=2
        )


def test_a_slot_without_a_probe_is_refused():
    with pytest.raises(ValueError, match=r"`positional_encoding` has no probe; the slots are enc"):
        make_probe(encoding_params("none"), SIZES)


def test_a_side_input_that_no_probe_makes_is_refused():
    component = tiny_probe("duration_predictor/mlp/").component
    with pytest.raises(ValueError, match="needs noise, speaker, but of side inputs a probe makes"):
        DurationPredictorProbe(component, SIZES, frozenset({"speaker", "noise", "plan"}))


def test_importing_the_kit_imports_no_hypothesis():
    code = (
        "import sys, kokoro_core.testing, kokoro_core.testing.strategies\n"
        "assert 'hypothesis' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
