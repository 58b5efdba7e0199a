"""The gradient is the derivative of what is computed, and every input that is asked for matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from kokoro_core.testing.batches import RaggedBatch
from kokoro_core.testing.cases import ONE_BATCH
from kokoro_core.testing.check import check
from kokoro_core.testing.compare import assert_same, projection, tolerance_of
from kokoro_core.testing.subject import Subject

STEPS = (1e-6, 1e-7, 1e-8)
"""How far the numbers are moved, until the slopes agree: a long step can cross a kink of a ReLU."""


@check(
    "gradient",
    cases=ONE_BATCH,
    skip=lambda subject: None if subject.capabilities.float64 else "declares `float64=False`",
    bug="PaddleSpeech#3032, transformers#21381: a part that is cut off, and trains wrongly",
)
def gradient(subject: Subject, batch: RaggedBatch) -> None:
    """The gradient of inputs and parameters is the slope that small changes show."""
    component = subject.build()
    inputs = subject.probe.inputs(batch)
    for what, tensors in (
        ("inputs", inputs.floating),
        ("parameters", dict(component.named_parameters())),
    ):
        if tensors:
            assert_slope(tensors, lambda: projection(subject.probe_of(component).run(inputs)), what)


def assert_slope(tensors: Mapping[str, Tensor], total: Callable[[], Tensor], what: str) -> None:
    """Compare the gradient of a number with the slope along a random direction."""
    for tensor in tensors.values():
        tensor.requires_grad_()
    value = total()
    if not value.requires_grad:
        return
    said = torch.autograd.grad(value, list(tensors.values()), allow_unused=True)
    ways = _directions(tensors)
    pairs = zip(said, ways.values(), strict=True)
    slope = sum(float((each * way).sum()) for each, way in pairs if each is not None)
    for step in STEPS:
        seen = _seen(tensors, ways, total, step)
        if abs(slope - seen) <= 1e-4 * max(1.0, abs(seen)):
            return
    raise AssertionError(
        f"the gradient of the {what} must be the slope that small changes show: it says "
        f"{slope:.6g}, they show {seen:.6g}"
    )


def _directions(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.randn(each.shape, generator=generator, dtype=torch.float64).to(each.dtype)
        for name, each in tensors.items()
    }


def _seen(
    tensors: Mapping[str, Tensor],
    ways: Mapping[str, Tensor],
    total: Callable[[], Tensor],
    step: float,
) -> float:
    """Return the slope along the directions, by central differences."""
    kept = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    values = []
    with torch.no_grad():
        for side in (step, -step):
            for name, tensor in tensors.items():
                tensor.copy_(kept[name] + side * ways[name])
            values.append(float(total()))
        for name, tensor in tensors.items():
            tensor.copy_(kept[name])
    return (values[0] - values[1]) / (2 * step)


def _no_side_inputs(subject: Subject) -> str | None:
    return None if subject.capabilities.side_inputs else "it declares no side inputs"


@check(
    "side-inputs-matter",
    cases=ONE_BATCH,
    skip=_no_side_inputs,
    bug="speechbrain#2986: an input that is passed on under a name that nobody reads",
)
def side_inputs_matter(subject: Subject, batch: RaggedBatch) -> None:
    """Another value of a declared side input changes its own row, and no other."""
    probe = subject.probe
    inputs = probe.inputs(batch)
    before = probe.run(inputs)
    for name, looks in subject.capabilities.side_inputs.items():
        changed = inputs.tensors[name].clone()
        changed[0] = (
            (changed[0] + 1) % (looks.width or 2) if looks.kind == "index" else changed[0] + 1
        )
        after = probe.run(inputs.changed(**{name: changed}))
        off = []
        for output, tensor in after.tensors.items():
            promise = f"`{output}` must not depend on the `{name}` of another row"
            assert_same(tensor[1:], before.tensors[output][1:], promise)
            off.append(float((tensor[0] - before.tensors[output][0]).detach().abs().max()))
        limit = tolerance_of(next(iter(after.tensors.values())))
        assert max(off) > limit, f"`{name}` must matter: another value of it changes nothing"
