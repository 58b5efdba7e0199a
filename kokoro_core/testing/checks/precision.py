"""Low precision: what was trained in float32 also runs in half of it."""

from __future__ import annotations

import copy

import torch

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.testing.check import check
from kokoro_core.testing.checks.padding import with_empty_row
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONE_BATCH
from kokoro_core.testing.data.inputs import Inputs, Outputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject

ALLOWED = 40.0
"""Roundings of a number's size that a result may be off: a tiny component of two layers has few."""

LOW = (torch.bfloat16, torch.float16)


def _no_low(subject: Subject) -> str | None:
    return None if subject.capabilities.low_precision else "declares `low_precision=False`"


@check(
    "low-precision",
    cases=ONE_BATCH,
    skip=_no_low,
    bug="fairseq#3575, transformers PR#17306, transformers PR#35418: a mask that half cannot hold",
)
def low_precision(subject: Subject, batch: RaggedBatch) -> None:
    """In bfloat16 and float16 the output keeps the dtype, is finite, and close to the oracle."""
    for dtype in LOW:
        component = subject.build().to(dtype)
        probe = subject.probe_of(component).on(component, dtype)
        oracle = subject.probe_of(copy.deepcopy(component).to(subject.dtype))
        rounded = subject.probe.inputs(batch).mapped(lambda each: each.to(dtype))  # noqa: B023
        exact = rounded.mapped(lambda each: each.to(subject.dtype))
        _assert_close(probe.run(rounded), oracle.run(exact), dtype)
        # so large that attention chooses one step, where rounding may choose another
        _assert_finite(probe.run(rounded.mapped(lambda each: each * 30)), dtype)
        if subject.capabilities.empty_rows:
            _assert_finite(probe.run(with_empty_row(rounded)), dtype)
        if isinstance(component, AutoregressiveDecoder):
            _assert_steps(probe, rounded)


def _assert_steps(probe: Probe, inputs: Inputs) -> None:
    """Make a few groups of frames as generation does: their dtype is kept, and they are finite."""
    decoder, group = probe.component, probe.component.reduction_factor
    side = probe.side_inputs(inputs, inputs.padding["mel_specs"])
    memory = inputs.tensors["memory"], inputs.padding["memory"]
    frames = inputs.tensors["mel_specs"][:, : 2 * group]
    with torch.no_grad():
        state = decoder.init_state(*memory, 2 * group, **side)
        for piece in torch.split(frames, group, 1):
            for name, made in zip(("mel", "stop_logits"), decoder.step(piece, state), strict=True):
                assert made.dtype == probe.dtype, (
                    f"`{name}` of a step must keep {probe.dtype}, not {made.dtype}"
                )
                assert bool(made.isfinite().all()), f"`{name}` of a step must be finite"


def _assert_finite(got: Outputs, dtype: torch.dtype) -> None:
    for name, tensor in got.tensors.items():
        assert bool(tensor.isfinite().all()), f"`{name}` must be finite in {dtype}"


def _assert_close(got: Outputs, expected: Outputs, dtype: torch.dtype) -> None:
    _assert_finite(got, dtype)
    for name, tensor in expected.tensors.items():
        found = got.tensors[name]
        assert found.dtype == dtype, f"`{name}` must keep {dtype}, not {found.dtype}"
        off = float((found.to(tensor.dtype) - tensor).detach().abs().max())
        most = ALLOWED * torch.finfo(dtype).eps * max(1.0, float(tensor.detach().abs().max()))
        assert off <= most, (
            f"`{name}` must be close to the oracle in {dtype}: it is off by {off:.3g}, "
            f"allowed are {most:.3g}"
        )


@check(
    "low-precision-is-refused",
    cases=ONE_BATCH,
    skip=lambda subject: None if _no_low(subject) else "it computes in low precision",
    bug="fairseq#3575",
)
def low_precision_is_refused(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `low_precision=False` raises in bfloat16 and float16."""
    for dtype in LOW:
        component = subject.build().to(dtype)
        probe = subject.probe_of(component).on(component, dtype)
        inputs = subject.probe.inputs(batch).mapped(lambda each: each.to(dtype))  # noqa: B023
        try:
            probe.run(inputs)
        except (ValueError, TypeError, RuntimeError):
            continue
        raise AssertionError(f"{dtype} must be refused, or `low_precision` be declared")


@check(
    "autocast",
    cases=ONE_BATCH,
    skip=_no_low,
    bug="NeMo Automodel PR#2658, espnet PR#4584: a sum of masks that overflows",
)
def autocast(subject: Subject, batch: RaggedBatch) -> None:
    """Under autocast in bfloat16, training gives finite outputs and finite gradients."""
    component = subject.build().float().train()
    probe = subject.probe_of(component).on(component, torch.float32)
    inputs = probe.inputs(batch)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = probe.run(inputs)
    _assert_finite(outputs, torch.bfloat16)
    total = torch.stack([each.float().square().mean() for each in outputs.tensors.values()]).sum()
    if total.requires_grad:
        total.backward()  # type: ignore[no-untyped-call]
    for name, parameter in component.named_parameters():
        assert parameter.grad is None or bool(parameter.grad.isfinite().all()), (
            f"the gradient of `{name}` must be finite under autocast"
        )


@check(
    "float64-is-refused",
    cases=ONE_BATCH,
    skip=lambda subject: "it computes in float64" if subject.capabilities.float64 else None,
    bug="transformers PR#35418: a float32 written into the code",
)
def float64_is_refused(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `float64=False` raises in float64."""
    component = subject.build().double()
    probe = subject.probe_of(component).on(component, torch.float64)
    try:
        probe.run(probe.inputs(batch))
    except (ValueError, TypeError, RuntimeError):
        return
    raise AssertionError("float64 must be refused, or `float64` be declared")
