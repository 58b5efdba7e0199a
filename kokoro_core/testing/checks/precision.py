"""A component that was trained in float32 also runs in half precision."""

from __future__ import annotations

import copy

import torch

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.testing.check import Check, only_if, only_if_not
from kokoro_core.testing.checks.padding import with_empty_row
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONE_BATCH
from kokoro_core.testing.data.compare import (
    assert_finite,
    assert_finite_gradients,
    backward,
    must_raise,
)
from kokoro_core.testing.data.inputs import Inputs, Outputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.probes.decoders import begin_decoding
from kokoro_core.testing.subjects.subject import Subject

ALLOWED = 40.0
"""Allowed error in units of the dtype's rounding: a component of two layers rounds a few times."""

LOW = (torch.bfloat16, torch.float16)
REFUSALS = (ValueError, TypeError, RuntimeError)


@Check(
    "low-precision",
    cases=ONE_BATCH,
    skip=only_if("low_precision"),
    bug="fairseq#3575, transformers PR#17306, transformers PR#35418: a mask that half cannot hold",
)
def low_precision(subject: Subject, batch: RaggedBatch) -> None:
    """In bfloat16 and float16 the output keeps the dtype, is finite, and close to the oracle."""
    for dtype in LOW:
        component = subject.build().to(dtype)
        probe = subject.probe.on(component, dtype)
        oracle = subject.probe.on(copy.deepcopy(component).to(subject.dtype))
        rounded = subject.probe.inputs(batch).mapped(lambda each: each.to(dtype))  # noqa: B023
        exact = rounded.mapped(lambda each: each.to(subject.dtype))
        _assert_close(probe.run(rounded), oracle.run(exact), dtype)
        # so large that attention selects one step, and rounding may select another
        assert_finite(probe.run(rounded.mapped(lambda each: each * 30)).tensors, f" in {dtype}")
        if subject.capabilities.empty_rows:
            assert_finite(probe.run(with_empty_row(rounded)).tensors, f" in {dtype}")
        if isinstance(component, AutoregressiveDecoder):
            _assert_steps(probe, rounded)


def _assert_steps(probe: Probe, inputs: Inputs) -> None:
    """Generate a few groups of frames: they keep the dtype and are finite."""
    decoder, group = probe.component, probe.component.reduction_factor
    frames = inputs.tensors["mel_specs"][:, : 2 * group]
    with torch.no_grad():
        state = begin_decoding(probe, inputs, 2 * group)
        for piece in torch.split(frames, group, 1):
            for name, made in zip(("mel", "stop_logits"), decoder.step(piece, state), strict=True):
                assert made.dtype == probe.dtype, (
                    f"`{name}` of a step must keep {probe.dtype}, not {made.dtype}"
                )
                assert bool(made.isfinite().all()), f"`{name}` of a step must be finite"


def _assert_close(got: Outputs, expected: Outputs, dtype: torch.dtype) -> None:
    assert_finite(got.tensors, f" in {dtype}")
    for name, found in got.tensors.items():
        tensor = expected.tensors[name]
        assert found.dtype == dtype, f"`{name}` must keep {dtype}, not {found.dtype}"
        off = float((found.to(tensor.dtype) - tensor).detach().abs().max())
        most = ALLOWED * torch.finfo(dtype).eps * max(1.0, float(tensor.detach().abs().max()))
        assert off <= most, (
            f"`{name}` must be close to the oracle in {dtype}: it is off by {off:.3g}, "
            f"allowed are {most:.3g}"
        )


@Check(
    "low-precision-is-refused",
    cases=ONE_BATCH,
    skip=only_if_not("low_precision", "it computes in low precision"),
    bug="fairseq#3575",
)
def low_precision_is_refused(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `low_precision=False` raises in bfloat16 and float16."""
    for dtype in LOW:
        probe = subject.probe.on(subject.build().to(dtype), dtype)
        inputs = subject.probe.inputs(batch).mapped(lambda each: each.to(dtype))  # noqa: B023
        otherwise = f"{dtype} must be refused, or `low_precision` be declared"
        with must_raise(*REFUSALS, otherwise=otherwise):
            probe.run(inputs)


@Check(
    "autocast",
    cases=ONE_BATCH,
    skip=only_if("low_precision"),
    bug="NeMo Automodel PR#2658, espnet PR#4584: a sum of masks that overflows",
)
def autocast(subject: Subject, batch: RaggedBatch) -> None:
    """Under autocast in bfloat16, training gives finite outputs and finite gradients."""
    component = subject.build().float().train()
    probe = subject.probe.on(component, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = probe.run(probe.inputs(batch))
    assert_finite(outputs.tensors, f" in {torch.bfloat16}")
    total = torch.stack([each.float().square().mean() for each in outputs.tensors.values()]).sum()
    backward(total)
    assert_finite_gradients(dict(component.named_parameters()), " under autocast")


@Check(
    "float64-is-refused",
    cases=ONE_BATCH,
    skip=only_if_not("float64", "it computes in float64"),
    bug="transformers PR#35418: a float32 written into the code",
)
def float64_is_refused(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `float64=False` raises in float64."""
    probe = subject.probe.on(subject.build().double(), torch.float64)
    with must_raise(*REFUSALS, otherwise="float64 must be refused, or `float64` be declared"):
        probe.run(probe.inputs(batch))
