"""Precision beyond a few steps, and tables of one dtype that serve another."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.testing.check import Check, first_reason, only_if
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONE_BATCH, Cases
from kokoro_core.testing.data.compare import assert_finite, assert_same
from kokoro_core.testing.probes.decoders import begin_decoding
from kokoro_core.testing.subjects.subject import Subject

FAR = Cases(RaggedBatch, (RaggedBatch((400,), 0, 3),))
"""bfloat16 tells whole numbers apart up to 256."""

EARLY, LATE = slice(20, 140), slice(270, 390)

WORSE = 5.0
"""How much larger the error of late steps may be than that of early ones."""


@Check(
    "late-steps-in-half",
    cases=FAR,
    slots=("encoder", "decoder"),
    since=2,
    skip=first_reason(only_if("low_precision"), only_if("float64")),
    bug="positions counted in bfloat16, which are equal in pairs from 256 on",
)
def late_steps_in_half(subject: Subject, batch: RaggedBatch) -> None:
    """In bfloat16 steps beyond 256 are about as exact as early ones."""
    component = subject.build().to(torch.bfloat16)
    probe = subject.probe.on(component, torch.bfloat16)
    oracle = subject.probe.on(copy.deepcopy(component).to(subject.dtype))
    rounded = subject.probe.inputs(batch).mapped(lambda each: each.to(torch.bfloat16))
    try:
        with torch.no_grad():
            got = probe.run(rounded)
            expected = oracle.run(rounded.mapped(lambda each: each.to(subject.dtype)))
    except ValueError:
        return  # longer than its positions
    for name, tensor in expected.tensors.items():
        error = got.tensors[name].to(tensor.dtype) - tensor
        if error.shape[1] < LATE.stop:
            continue
        early, late = (_size(error[:, steps]) for steps in (EARLY, LATE))
        spread = _size(tensor)
        assert late <= max(WORSE * early, 0.02 * spread), (
            f"`{name}` must be as exact late as early in bfloat16: it is off by {early:.3g} "
            f"before step {EARLY.stop}, by {late:.3g} after step {LATE.start}"
        )


def _size(tensor: Tensor) -> float:
    return float(tensor.square().mean().sqrt())


@Check(
    "dtype-of-first-call",
    cases=Cases(RaggedBatch, (RaggedBatch((23, 17)),)),
    since=2,
    skip=only_if("float64"),
    bug="a cached table that remembers the dtype of the call for which it was made",
)
def dtype_of_first_call(subject: Subject, batch: RaggedBatch) -> None:
    """A call in float32 before leaves one in float64 as exact as it is without."""
    component = subject.build().float()
    fresh = copy.deepcopy(component).double()
    inputs = subject.probe.inputs(batch)
    # wider inputs: their tables were never asked for in float32
    expected = subject.probe_of(fresh).run(inputs.wider(14))
    single = inputs.mapped(lambda each: each.float())
    subject.probe.on(component, torch.float32).run(single)
    got = subject.probe_of(component.double()).run(inputs)
    for name, tensor in got.tensors.items():
        valid = ~got.padding_mask
        wide = expected.tensors[name][:, : valid.shape[1]]
        assert_same(tensor[valid], wide[valid], f"`{name}` must be as exact after float32")


def _no_steps(subject: Subject) -> str | None:
    steps = isinstance(subject.component, AutoregressiveDecoder)
    return None if steps else "it does not decode in steps"


@Check(
    "autocast-in-steps",
    cases=ONE_BATCH,
    slots=("decoder",),
    since=2,
    skip=first_reason(_no_steps, only_if("low_precision")),
    bug="a cache in float32 that is written in bfloat16: index_put refuses, under autocast alone",
)
def autocast_in_steps(subject: Subject, batch: RaggedBatch) -> None:
    """Under autocast in bfloat16 steps run, and are finite."""
    component = subject.build().float()
    probe = subject.probe.on(component, torch.float32)
    inputs = probe.inputs(batch)
    group = component.reduction_factor
    frames = inputs.tensors["mel_specs"][:, : 3 * group]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        state = begin_decoding(probe, inputs, 3 * group)
        for piece in torch.split(frames, group, 1):
            if piece.shape[1] == group:
                made = dict(zip(("mel", "stop_logits"), component.step(piece, state), strict=True))
                assert_finite(made, " in a step under autocast")
