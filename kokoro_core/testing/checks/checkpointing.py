"""Recomputing a stack in training changes neither results nor gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.testing.check import Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import Cases
from kokoro_core.testing.data.compare import assert_same, assert_same_outputs, projection
from kokoro_core.testing.data.inputs import Inputs, Outputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.process_state import seed_torch
from kokoro_core.testing.subjects.subject import Subject


@dataclass(frozen=True)
class Recomputing:
    """How a stack is recomputed.

    Attributes:
        segments: Number of segments of each stack.
        frozen: Whether the stack's first layer and everything before the stack are frozen.
        seed: Of the numbers.
    """

    segments: int
    frozen: bool = False
    seed: int = 0


RECOMPUTING = Cases(
    Recomputing,
    (Recomputing(1), Recomputing(2), Recomputing(4), Recomputing(2, frozen=True)),
)
BATCH = RaggedBatch((6, 3, 5), 1)


def _no_stack(subject: Subject) -> str | None:
    return None if _stacks(subject.component) else "it has no `CheckpointedStack`"


def _stacks(component: Any) -> list[CheckpointedStack]:
    return [each for each in component.modules() if isinstance(each, CheckpointedStack)]


@Check(
    "checkpointing",
    cases=RECOMPUTING,
    skip=_no_stack,
    bug="OLMo-core PR#828, transformers#21381, open_clip#573: other dropout, no gradients",
)
def checkpointing(subject: Subject, data: Recomputing) -> None:
    """Recomputing changes no output, gradient or buffer, also with dropout or a frozen start."""
    dropping = subject.dropping if subject.has_dropout else subject
    component = dropping.build(seed=data.seed)
    if data.frozen:
        _freeze_start(component)
    probe = dropping.probe_of(component)
    inputs = probe.inputs(BATCH)
    start = _buffers(component)
    plain, plain_gradients = _train_once(probe, inputs, None)
    moved = _buffers(component)
    for name, buffer in start.items():
        component.get_buffer(name).copy_(buffer)
    again, gradients = _train_once(probe, inputs, data.segments)
    for name, buffer in _buffers(component).items():
        assert_same(buffer, moved[name], f"`{name}` must move once a step when recomputed")
    assert_same_outputs(again, plain, "must be the same when recomputed")
    missing = plain_gradients.keys() - gradients.keys()
    assert not missing, f"{sorted(missing)} must get a gradient when recomputed"
    for name, gradient in plain_gradients.items():
        promise = f"the gradient of `{name}` must be the same when recomputed"
        assert_same(gradients[name], gradient, promise)


def _buffers(component: Any) -> dict[str, Tensor]:
    return {name: each.clone() for name, each in component.named_buffers()}


def _freeze_start(component: Any) -> None:
    inside = {id(each) for stack in _stacks(component) for each in stack.parameters()}
    first = {id(each) for stack in _stacks(component) for each in stack[0].parameters()}
    for parameter in component.parameters():
        if id(parameter) not in inside or id(parameter) in first:
            parameter.requires_grad_(False)
    for stack in _stacks(component):
        for parameter in stack[-1].parameters():
            parameter.requires_grad_(True)


def _train_once(
    probe: Probe, inputs: Inputs, segments: int | None
) -> tuple[Outputs, dict[str, Tensor]]:
    """Return outputs and gradients in training; the random state differs in the backward pass."""
    component = probe.component.train()
    component.zero_grad()
    for stack in _stacks(component):
        stack.segments = segments
    seed_torch(11)
    outputs = probe.run(inputs)
    seed_torch(12)
    projection(outputs).backward()  # type: ignore[no-untyped-call]
    gradients = {
        name: each.grad.clone()
        for name, each in component.named_parameters()
        if each.grad is not None
    }
    return outputs, gradients
