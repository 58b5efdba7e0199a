"""Outputs depend on exactly the inputs that they should, which comparisons of results miss."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from kokoro_core.contracts import Encoder, ParallelDecoder
from kokoro_core.testing.check import Check, only_if, only_if_not
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES, ONE_BATCH
from kokoro_core.testing.data.compare import projection, tolerance_of
from kokoro_core.testing.data.inputs import Inputs, Outputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject

DRAWS = 6
"""Numbers tried at each place: a unit that is inactive for one is active for another."""


@Check(
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
    subject.component.zero_grad()  # the component is shared by all checks
    learning = inputs.floating.keys() - subject.capabilities.detached_inputs
    for name, expected in probe.matters(inputs).items():
        if name in learning:
            _assert_reached(name, inputs.tensors[name].grad, expected, inputs.padding[name])


def _assert_reached(
    name: str, gradient: Tensor | None, expected: Tensor, padding_mask: Tensor
) -> None:
    assert gradient is not None, f"`{name}` must reach the output"
    assert bool(gradient.isfinite().all()), f"the gradient of `{name}` must be finite"
    # (B, T) or (B, T, C) -> (B, T)
    reached = (gradient != 0).view(*gradient.shape[:2], -1).any(-1)
    assert not bool(reached[padding_mask].any()), f"`{name}` must not matter at padding"
    # (draws · B, T) -> (draws, B, T) -> (B, T)
    anywhere = reached.view(DRAWS, -1, reached.shape[1]).any(0)
    assert bool(anywhere[expected[: len(anywhere)]].all()), (
        f"`{name}` must matter at each valid step: its gradient there must not be 0"
    )


def _seeds(batch: RaggedBatch) -> range:
    return range(batch.seed, batch.seed + DRAWS)


def _stacked(drawn: list[Inputs]) -> Inputs:
    """Return several batches of one structure as one."""
    names, masks = drawn[0].tensors, drawn[0].padding
    return Inputs(
        {name: torch.cat([each.tensors[name] for each in drawn]) for name in names},
        {name: torch.cat([each.padding[name] for each in drawn]) for name in masks},
    )


@Check(
    "reach",
    cases=BATCHES,
    slots=("encoder", "duration_predictor", "adaptor", "decoder", "postnet"),
    bug="NeMo#2648: a mask that is one too short; nanochat#844: one that is too wide",
)
def reach(subject: Subject, batch: RaggedBatch) -> None:
    """Each output step depends on every step inside the declared reach, and on none beyond it."""
    assert_reach(subject, min(max(batch.lengths), 7), batch.seed)


def assert_reach(subject: Subject, length: int, seed: int, *, draws: int = DRAWS) -> None:
    """Compare which steps of a row depend on which with the declared receptive field."""
    probe = subject.probe
    name = _source_of(probe)
    drawn = [probe.inputs(RaggedBatch((length,), 0, seed + each)).row(0) for each in range(draws)]
    depends = _dependencies(probe, drawn, name)
    steps, sources = depends.shape
    before, after = subject.capabilities.reach
    distance = torch.arange(sources) - torch.arange(steps).unsqueeze(1)
    inside = (distance >= -(before if before is not None else steps + sources)) & (
        distance <= (after if after is not None else steps + sources)
    )
    needed = _of_whole_groups(inside, getattr(probe.component, "reduction_factor", 1))
    _assert_dependencies(name, depends, needed, inside, subject)


def _of_whole_groups(inside: Tensor, group: int) -> Tensor:
    """Return what is inside the reach of all frames that are made together."""
    groups = [each.all(0, keepdim=True).expand_as(each) for each in torch.split(inside, group)]
    return torch.cat(groups)


def _assert_dependencies(
    name: str, depends: Tensor, needed: Tensor, inside: Tensor, subject: Subject
) -> None:
    field = subject.capabilities.receptive_field
    for wrong, promise in (
        (needed & ~depends, "must depend"),
        (depends & ~inside, "must not depend"),
    ):
        places = wrong.nonzero().tolist()
        assert not places, (
            f"step {places[0][0]} {promise} on step {places[0][1]} of `{name}`, "
            f"since the component declares `receptive_field={field}`"
        )


def _dependencies(probe: Probe, draws: list[Inputs], name: str) -> Tensor:
    """Return on which input steps (second axis) each output step (first axis) depends."""
    inputs = _stacked(draws)
    steps = len(inputs.padding[name][0])
    by_gradient = name in inputs.floating and name not in probe.capabilities.detached_inputs
    if not by_gradient or not probe.capabilities.exact_gradient:
        copies = inputs.select(_each(inputs.rows, steps))
        changed = _dependencies_by_change(probe, copies, name)
        # (draws · S, T) -> (draws, S, T) -> (T, S)
        by_change = changed.view(inputs.rows, steps, -1).any(0).T
        if not by_gradient:
            return by_change
    steps = probe.run(draws[0]).padding_mask.shape[1]
    copies = inputs.select(_each(inputs.rows, steps))
    found = _dependencies_by_gradient(probe, copies, name, steps)
    # (draws · T, S) -> (draws, T, S) -> (T, S)
    depends = found.view(inputs.rows, steps, -1).any(0)
    return depends if probe.capabilities.exact_gradient else depends | by_change


def _each(rows: int, times: int) -> list[int]:
    return [row for row in range(rows) for _ in range(times)]


def dependencies_of_output(probe: Probe, draws: list[Inputs], name: str, output: str) -> Tensor:
    """Return on which input steps (second axis) each step of one output depends, by gradients."""
    inputs = _stacked(draws)
    steps = probe.run(draws[0]).padding_mask.shape[1]
    copies = inputs.select(_each(inputs.rows, steps))
    found = _dependencies_by_gradient(probe, copies, name, steps, only=output)
    # (draws · T, S) -> (draws, T, S) -> (T, S)
    return found.view(inputs.rows, steps, -1).any(0)


def _dependencies_by_gradient(
    probe: Probe, copies: Inputs, name: str, steps: int, only: str | None = None
) -> Tensor:
    """Return the input steps on which one output step per row depends, from gradients."""
    copies = copies.mapped(lambda each: each.requires_grad_())
    own_step = torch.eye(steps, dtype=torch.bool).repeat(copies.rows // steps, 1)
    made = probe.run(copies).tensors
    chosen = {each: tensor for each, tensor in made.items() if only in (None, each)}
    total = projection(Outputs(chosen, ~own_step))
    if not total.requires_grad:
        return torch.zeros(copies.tensors[name].shape[:2], dtype=torch.bool)
    (gradient,) = torch.autograd.grad(total, copies.tensors[name], allow_unused=True)
    if gradient is None:
        return torch.zeros(copies.tensors[name].shape[:2], dtype=torch.bool)
    return (gradient != 0).view(*gradient.shape[:2], -1).any(-1)


def _dependencies_by_change(probe: Probe, copies: Inputs, name: str) -> Tensor:
    """Return the output steps that depend on one input step per row, from changing it."""
    old = copies.tensors[name]
    sources = old.shape[1]
    one = torch.eye(sources, dtype=torch.bool).repeat(copies.rows // sources, 1)
    # (draws · S, S) -> as the input: (draws · S, S) or (draws · S, S, C)
    changed = torch.where(one.view(*one.shape, *[1] * (old.dim() - 2)), _others(probe, old), old)
    before, after = probe.run(copies), probe.run(copies.changed(**{name: changed}))
    depends = torch.zeros(before.padding_mask.shape, dtype=torch.bool)
    for output, tensor in after.tensors.items():
        difference = (tensor - before.tensors[output]).detach().abs()
        depends = depends | (difference.view(*depends.shape, -1).amax(-1) > tolerance_of(tensor))
    return depends


def _others(probe: Probe, old: Tensor) -> Tensor:
    """Return different values, and for phonemes different phonemes."""
    if old.is_floating_point():  # not 1 everywhere: a norm would remove that
        drawn = torch.randn(old.shape, generator=torch.Generator().manual_seed(9))
        return old + drawn.to(old.dtype)
    high = probe.sizes.vocab_size
    new = (old + 1) % high
    return torch.where(new == probe.sizes.pad_id, (new + 1) % high, new)


@Check(
    "context",
    cases=ONE_BATCH,
    slots=("postnet",),
    skip=lambda subject: (
        "its `context` is all frames" if subject.component.context is None else None
    ),
    bug="a mel that is refined in pieces, and has a seam at each",
)
def context(subject: Subject, batch: RaggedBatch) -> None:
    """A refined frame depends on no frame that is farther than the postnet's `context`."""
    probe, far = subject.probe, subject.component.context
    steps = 2 * far + 3
    draws = [probe.inputs(RaggedBatch((steps,), 0, seed)) for seed in _seeds(batch)]
    depends = _dependencies(probe, draws, probe.first)
    distance = (torch.arange(steps) - torch.arange(steps).unsqueeze(1)).abs()
    beyond = distance[depends & (distance > far)]
    assert not len(beyond), (
        f"`context` must cover what a frame depends on: frames {int(beyond.max())} away, not {far}"
    )


@Check(
    "order-matters",
    cases=ONE_BATCH,
    slots=("encoder", "decoder"),
    skip=only_if_not("position_free"),
    bug="speechbrain#2276: an inverted mask made all positions 0, and nobody heard it",
)
def order_matters(subject: Subject, batch: RaggedBatch) -> None:
    """Any two different steps of a row that change places give other results, not the same ones."""
    assert_order_matters(subject, batch, ", or the component must declare `position_free`")


@Check(
    "order-does-not-matter",
    cases=ONE_BATCH,
    slots=("encoder", "decoder"),
    skip=only_if("position_free", "the order of its steps matters"),
    bug="speechbrain#2276",
)
def order_does_not_matter(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `position_free` does not know the order of its steps."""
    assert all(_free_to_exchange(subject, batch).values()), (
        "the order of the steps must not matter to a component that declares `position_free`"
    )


def assert_order_matters(subject: Subject, batch: RaggedBatch, otherwise: str = "") -> None:
    """Refuse two different steps of a row whose exchange only exchanges their results."""
    for (first, second), free in _free_to_exchange(subject, batch).items():
        assert not free, f"steps {first} and {second} must not be free to change places{otherwise}"


def _free_to_exchange(subject: Subject, batch: RaggedBatch) -> dict[tuple[int, int], bool]:
    """Return for each two different steps whether their exchange only exchanges their results."""
    probe = subject.probe
    inputs = probe.inputs(RaggedBatch((max(batch.lengths),), 0, batch.seed)).row(0)
    if "mel_specs" in inputs.tensors:  # a target that is 0 everywhere has no order of its own
        inputs = inputs.changed(mel_specs=torch.zeros_like(inputs.tensors["mel_specs"]))
    name = _source_of(probe)
    source = inputs.tensors[name]
    pairs = [
        (first, second)
        for first, second in combinations(range(source.shape[1]), 2)
        if not torch.equal(source[:, first], source[:, second])
    ]
    orders = torch.stack([_exchanged(source.shape[1], pair) for pair in pairs])
    # (1, T, ...) -> (pairs, T, ...): a row for each exchange
    rows = inputs.select([0] * len(pairs))
    after = probe.run(rows.changed(**_moved(probe, inputs, name, orders)))
    parallel = isinstance(probe.component, (Encoder, ParallelDecoder))
    same = torch.ones(len(pairs), dtype=torch.bool)
    for output, before in probe.run(inputs).tensors.items():
        followed = before[0][orders] if parallel else before.expand_as(after.tensors[output])
        off = (after.tensors[output] - followed).detach().abs().flatten(1).amax(1)
        same = same & (off <= 1e-6)
    return dict(zip(pairs, same.tolist(), strict=True))


def _source_of(probe: Probe) -> str:
    """Return the input whose steps the output's steps are compared with."""
    return "memory" if probe.params.slot == "decoder" else probe.first


def _moved(probe: Probe, inputs: Inputs, name: str, orders: Tensor) -> dict[str, Tensor]:
    """Return an input, and its side inputs per step, in each order."""
    looks = probe.looks.items()
    of_steps = [each for each, said in looks if said.per == "step" and each in inputs.tensors]
    beside = of_steps if name == probe.first else []
    # (1, T, ...) -> (orders, T, ...)
    return {each: inputs.tensors[each][0][orders] for each in (name, *beside)}


def _exchanged(steps: int, pair: tuple[int, int]) -> Tensor:
    order = torch.arange(steps)
    order[list(pair)] = order[list(reversed(pair))]
    return order
