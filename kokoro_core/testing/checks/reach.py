"""Every input that may matter does, and nothing else: which equivalence alone cannot see."""

from __future__ import annotations

import torch
from torch import Tensor

from kokoro_core.contracts import Encoder, ParallelDecoder
from kokoro_core.testing.batches import RaggedBatch
from kokoro_core.testing.cases import BATCHES, ONE_BATCH
from kokoro_core.testing.check import check
from kokoro_core.testing.compare import projection, tolerance_of
from kokoro_core.testing.inputs import Inputs, Outputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subject import Subject

DRAWS = 6
"""Numbers that are tried at each place: a unit that is off for one of them is on for another."""


@check(
    "sensitivity",
    cases=BATCHES,
    bug="NeMo#2648, ForwardTacotron#21, speechbrain#2986: a mask that hides too much",
)
def sensitivity(subject: Subject, batch: RaggedBatch) -> None:
    """The gradient is exactly 0 at padding, finite, and not 0 where a step must matter."""
    probe = subject.probe
    drawn = [probe.inputs(RaggedBatch(batch.lengths, batch.extra, seed)) for seed in _seeds(batch)]
    inputs = _stacked(drawn).mapped(lambda each: each.requires_grad_())
    if "durations" in inputs.tensors:
        inputs = inputs.changed(durations=drawn[0].tensors["durations"].repeat(DRAWS, 1))
    total = projection(probe.run(inputs))
    if not total.requires_grad or not inputs.floating:
        return
    total.backward()  # type: ignore[no-untyped-call]
    _forget_gradients(subject)
    for name, expected in probe.matters(inputs).items():
        if name in inputs.floating:
            _assert_reached(name, inputs.tensors[name].grad, expected, inputs.padding[name])


def _assert_reached(
    name: str, gradient: Tensor | None, expected: Tensor, padding_mask: Tensor
) -> None:
    assert gradient is not None, f"`{name}` must reach the output"
    assert bool(gradient.isfinite().all()), f"the gradient of `{name}` must be finite"
    reached = (gradient != 0).flatten(2).any(-1)
    assert not bool(reached[padding_mask].any()), f"`{name}` must not matter at padding"
    # (draws · B, T) -> (draws, B, T) -> (B, T)
    anywhere = reached.view(DRAWS, -1, reached.shape[1]).any(0)
    assert bool(anywhere[expected[: len(anywhere)]].all()), (
        f"`{name}` must matter at each valid step: its gradient there must not be 0"
    )


def _forget_gradients(subject: Subject) -> None:
    for parameter in subject.component.parameters():
        parameter.grad = None


def _seeds(batch: RaggedBatch) -> range:
    return range(batch.seed, batch.seed + DRAWS)


def _stacked(drawn: list[Inputs]) -> Inputs:
    """Return several batches of one structure as one."""
    names, masks = drawn[0].tensors, drawn[0].padding
    return Inputs(
        {name: torch.cat([each.tensors[name] for each in drawn]) for name in names},
        {name: torch.cat([each.padding[name] for each in drawn]) for name in masks},
    )


@check(
    "reach",
    cases=BATCHES,
    slots=("encoder", "duration_predictor", "decoder", "postnet"),
    bug="NeMo#2648: a mask that is one too short; nanochat#844: one that is too wide",
)
def reach(subject: Subject, batch: RaggedBatch) -> None:
    """Each output step depends on every step inside the declared reach, and on none beyond it."""
    probe = subject.probe
    alone = RaggedBatch((min(max(batch.lengths), 7),), 0, batch.seed)
    name = {"decoder": "memory"}.get(subject.slot, probe.first)
    draws = [probe.inputs(RaggedBatch(alone.lengths, 0, seed)).row(0) for seed in _seeds(alone)]
    told = torch.stack([_told(probe, each, name) for each in draws]).any(0)
    steps, sources = told.shape
    before, after = subject.capabilities.reach
    distance = torch.arange(sources) - torch.arange(steps).unsqueeze(1)
    inside = (distance >= -(before if before is not None else steps + sources)) & (
        distance <= (after if after is not None else steps + sources)
    )
    _assert_told(name, told, inside, subject)


def _assert_told(name: str, told: Tensor, inside: Tensor, subject: Subject) -> None:
    field = subject.capabilities.receptive_field
    for wrong, promise in ((inside & ~told, "must depend"), (told & ~inside, "must not depend")):
        places = wrong.nonzero().tolist()
        assert not places, (
            f"step {places[0][0]} {promise} on step {places[0][1]} of `{name}`, "
            f"since the component declares `receptive_field={field}`"
        )


def _told(probe: Probe, inputs: Inputs, name: str) -> Tensor:
    """Return which output step (first axis) is told of which input step of one row."""
    if inputs.tensors[name].is_floating_point():
        return _told_by_gradient(probe, inputs, name)
    return _told_by_change(probe, inputs, name)


def _told_by_gradient(probe: Probe, inputs: Inputs, name: str) -> Tensor:
    steps = probe.run(inputs).padding_mask.shape[1]
    copies = inputs.select([0] * steps).mapped(lambda each: each.requires_grad_())
    own_step = torch.eye(steps, dtype=torch.bool)
    total = projection(_only(probe.run(copies), own_step))
    (gradient,) = torch.autograd.grad(total, copies.tensors[name], allow_unused=True)
    if gradient is None:
        return torch.zeros(steps, copies.tensors[name].shape[1], dtype=torch.bool)
    return (gradient != 0).flatten(2).any(-1)


def _only(outputs: Outputs, kept: Tensor) -> Outputs:
    return Outputs(outputs.tensors, ~kept)


def _told_by_change(probe: Probe, inputs: Inputs, name: str) -> Tensor:
    sources, high = inputs.tensors[name].shape[1], probe.sizes.vocab_size
    copies = inputs.select([0] * sources)
    old = copies.tensors[name]
    new = (old + 1) % high
    new = torch.where(new == probe.sizes.pad_id, (new + 1) % high, new)
    changed = torch.where(torch.eye(sources, dtype=torch.bool), new, old)
    before, after = probe.run(copies), probe.run(copies.changed(**{name: changed}))
    told = torch.zeros(before.padding_mask.shape, dtype=torch.bool)
    for output, tensor in after.tensors.items():
        difference = (tensor - before.tensors[output]).detach().abs()
        told = told | (difference.view(*told.shape, -1).amax(-1) > tolerance_of(tensor))
    return told.T


def _free(subject: Subject) -> str | None:
    return "declares `position_free`" if subject.capabilities.position_free else None


@check(
    "order-matters",
    cases=ONE_BATCH,
    slots=("encoder", "decoder"),
    skip=_free,
    bug="speechbrain#2276: an inverted mask made all positions 0, and nobody heard it",
)
def order_matters(subject: Subject, batch: RaggedBatch) -> None:
    """The steps of a row in another order give other results, not the same in another order."""
    assert _order_matters(subject, batch), (
        "the order of the steps must matter, or the component must declare `position_free`"
    )


@check(
    "order-does-not-matter",
    cases=ONE_BATCH,
    slots=("encoder", "decoder"),
    skip=lambda subject: None if _free(subject) else "the order of its steps matters",
    bug="speechbrain#2276",
)
def order_does_not_matter(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `position_free` does not know the order of its steps."""
    assert not _order_matters(subject, batch), (
        "the order of the steps must not matter to a component that declares `position_free`"
    )


def _order_matters(subject: Subject, batch: RaggedBatch) -> bool:
    probe = subject.probe
    alone = probe.inputs(RaggedBatch((max(batch.lengths),), 0, batch.seed)).row(0)
    inputs = _same_target(alone)
    name = {"decoder": "memory"}.get(subject.slot, probe.first)
    steps = inputs.tensors[name].shape[1]
    before = probe.run(inputs)
    turns = ([*range(1, steps), 0], [*reversed(range(steps))], [1, 0, *range(2, steps)])
    return any(
        not torch.allclose(after, expected, rtol=0, atol=1e-6)
        for order in turns
        for after, expected in _turned(probe, inputs, name, order, before)
    )


def _same_target(inputs: Inputs) -> Inputs:
    """Return the inputs with a target that is 0 everywhere, which has no order of its own."""
    if "mel_specs" not in inputs.tensors:
        return inputs
    return inputs.changed(mel_specs=torch.zeros_like(inputs.tensors["mel_specs"]))


def _turned(
    probe: Probe, inputs: Inputs, name: str, order: list[int], before: Outputs
) -> list[tuple[Tensor, Tensor]]:
    """Return what steps in another order give, and what they would give if order did not matter."""
    after = probe.run(inputs.changed(**{name: inputs.tensors[name][:, order]}))
    parallel = isinstance(probe.component, (Encoder, ParallelDecoder))
    followed = order if parallel else None
    return [
        (tensor, before.tensors[output][:, followed] if followed else before.tensors[output])
        for output, tensor in after.tensors.items()
    ]
