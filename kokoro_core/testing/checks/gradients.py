"""Gradients equal finite differences, and every declared input influences the output."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from kokoro_core.testing.check import Check, first_reason, only_if, only_if_not
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONE_BATCH
from kokoro_core.testing.data.compare import (
    assert_same,
    largest_difference,
    must_raise,
    projection,
    tolerance_of,
)
from kokoro_core.testing.data.inputs import Outputs
from kokoro_core.testing.subjects.subject import Subject

STEPS = (1e-6, 1e-7, 1e-8)
"""Step sizes, tried until the slopes agree: a long step can cross the kink of a ReLU."""


@Check(
    "gradient",
    cases=ONE_BATCH,
    skip=first_reason(only_if("exact_gradient"), only_if("float64")),
    bug="PaddleSpeech#3032, transformers#21381: a part that is cut off, and trains wrongly",
)
def gradient(subject: Subject, batch: RaggedBatch) -> None:
    """The gradient of inputs and parameters is the slope that small changes show."""
    component = subject.build()
    inputs = subject.probe.inputs(batch)
    detached = subject.capabilities.detached_inputs
    learning = {name: each for name, each in inputs.floating.items() if name not in detached}
    for what, tensors in (
        ("inputs", learning),
        ("parameters", dict(component.named_parameters())),
    ):
        if tensors:
            assert_slope(tensors, lambda: projection(subject.probe_of(component).run(inputs)), what)


def assert_slope(tensors: Mapping[str, Tensor], total: Callable[[], Tensor], what: str) -> None:
    """Compare the gradient of a scalar with central differences along a random direction."""
    for tensor in tensors.values():
        tensor.requires_grad_()
    value = total()
    if not value.requires_grad:
        return
    analytic = torch.autograd.grad(value, list(tensors.values()), allow_unused=True)
    directions = _directions(tensors)
    pairs = zip(analytic, directions.values(), strict=True)
    slope = sum(float((each * direction).sum()) for each, direction in pairs if each is not None)
    for step in STEPS:
        numeric = _central_difference(tensors, directions, total, step)
        if abs(slope - numeric) <= 1e-4 * max(1.0, abs(numeric)):
            return
    raise AssertionError(
        f"the gradient of the {what} must be the slope that small changes show: it says "
        f"{slope:.6g}, they show {numeric:.6g}"
    )


def _directions(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.randn(each.shape, generator=generator, dtype=torch.float64).to(each.dtype)
        for name, each in tensors.items()
    }


def _central_difference(
    tensors: Mapping[str, Tensor],
    directions: Mapping[str, Tensor],
    total: Callable[[], Tensor],
    step: float,
) -> float:
    """Return the slope along the directions, by central differences."""
    kept = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    values = []
    with torch.no_grad():
        for side in (step, -step):
            for name, tensor in tensors.items():
                tensor.copy_(kept[name] + side * directions[name])
            values.append(float(total()))
        for name, tensor in tensors.items():
            tensor.copy_(kept[name])
    return (values[0] - values[1]) / (2 * step)


@Check(
    "gradient-is-not-exact",
    cases=ONE_BATCH,
    skip=only_if_not("exact_gradient", "its gradient is the slope"),
    bug="a declaration that is no longer true",
)
def gradient_is_not_exact(subject: Subject, batch: RaggedBatch) -> None:
    """The gradient of a component that declares `exact_gradient=False` is not the slope."""
    otherwise = (
        "the gradient is the slope, so the component must not declare `exact_gradient=False`"
    )
    with must_raise(AssertionError, otherwise=otherwise):
        gradient.holds(subject, batch)


@Check(
    "detached-inputs",
    cases=ONE_BATCH,
    skip=only_if("detached_inputs", "it declares no `detached_inputs`"),
    bug="FastSpeech2, VITS: a gradient into the encoder that is to be stopped, or one that is lost",
)
def detached_inputs(subject: Subject, batch: RaggedBatch) -> None:
    """A declared detached input gets no gradient, and is a floating input that matters."""
    probe, declared = subject.probe, subject.capabilities.detached_inputs
    inputs = probe.inputs(batch).mapped(lambda each: each.requires_grad_())
    unknown = sorted(declared - inputs.floating.keys())
    assert not unknown, f"{unknown} must be floating inputs, of {sorted(inputs.floating)}"
    before = probe.run(inputs)
    total = projection(before)
    given = [inputs.tensors[name] for name in sorted(declared)]
    found = torch.autograd.grad(total, given, allow_unused=True) if total.requires_grad else ()
    for name, each in zip(sorted(declared), found, strict=False):
        assert each is None or not bool(each.any()), f"`{name}` must get no gradient, as declared"
    for name in sorted(declared):
        other = inputs.tensors[name].detach() + _numbers_like(inputs.tensors[name])
        after = probe.run(inputs.changed(**{name: other}))
        assert _differs(after, before), f"`{name}` must matter: another value changes nothing"


def _numbers_like(tensor: Tensor) -> Tensor:
    """Return numbers that differ from place to place: a norm would remove a constant change."""
    generator = torch.Generator().manual_seed(6)
    drawn = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
    return 1 + drawn.to(tensor.dtype)


def _differs(after: Outputs, before: Outputs) -> bool:
    """Return whether any output or loss has another value."""
    limit = tolerance_of(next(iter(after.tensors.values())))
    change = largest_difference(after.tensors, before.tensors)
    return max(change, largest_difference(after.losses, before.losses)) > limit


@Check(
    "side-inputs-matter",
    cases=ONE_BATCH,
    skip=lambda subject: None if subject.probe.looks else "it declares no side inputs",
    bug="speechbrain#2986: an input that is passed on under a name that nobody reads",
)
def side_inputs_matter(subject: Subject, batch: RaggedBatch) -> None:
    """Another value of a declared side input changes its own row or a loss, and no other row."""
    probe = subject.probe
    inputs = probe.inputs(batch)
    before = probe.run(inputs)
    for name, looks in probe.looks.items():
        changed = inputs.tensors[name].clone()
        changed[0] = (
            (changed[0] + 1) % (looks.width_in(subject.sizes) or 2)
            if looks.kind == "index"
            else changed[0] + _numbers_like(changed[0])
        )
        after = probe.run(inputs.changed(**{name: changed}))
        for output, tensor in after.tensors.items():
            promise = f"`{output}` must not depend on the `{name}` of another row"
            assert_same(tensor[1:], before.tensors[output][1:], promise)
        assert _differs(after, before), f"`{name}` must matter: another value changes nothing"
