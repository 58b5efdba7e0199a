"""Initialisation: determined by the seed, different for each part, and all of it learns."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from kokoro_core.testing.check import PARTS, Check, only_if, only_if_not
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONCE, ONE_BATCH, Nothing
from kokoro_core.testing.data.compare import assert_identical, projection
from kokoro_core.testing.data.inputs import Outputs
from kokoro_core.testing.subjects.subject import Subject


@Check(
    "seeded",
    cases=ONCE,
    slots=PARTS,
    bug="fairseq2#1038: weights that do not follow the seed",
)
def seeded(subject: Subject, data: Nothing) -> None:
    """The same seed builds the same weights, and another seed builds others."""
    first, again, other = (
        dict(subject.build(seed=seed, jitter=0).named_parameters()) for seed in (1, 1, 2)
    )
    assert first.keys() == again.keys(), "the same settings must build the same parameters"
    for name, parameter in first.items():
        assert_identical(
            again[name].detach(), parameter.detach(), f"`{name}` must follow the seed alone"
        )
    drawn = [name for name, parameter in first.items() if _is_drawn(parameter)]
    same = [name for name in drawn if torch.equal(first[name], other[name])]
    assert not same, f"{same} must be others with another seed"


@Check(
    "twins-differ",
    cases=ONCE,
    slots=PARTS,
    bug="torchtune#2270: deep-copied layers that begin the same",
)
def twins_differ(subject: Subject, data: Nothing) -> None:
    """No two parameters that are drawn at random begin with the same numbers."""
    by_shape: dict[tuple[int, ...], list[tuple[str, Tensor]]] = defaultdict(list)
    for name, parameter in subject.build(jitter=0).named_parameters():
        if _is_drawn(parameter):
            by_shape[tuple(parameter.shape)].append((name, parameter))
    for alike in by_shape.values():
        for number, (name, parameter) in enumerate(alike):
            for other, twin in alike[:number]:
                same = parameter is not twin and torch.equal(parameter, twin)
                assert not same, f"`{name}` and `{other}` must not begin with the same numbers"


def _is_drawn(parameter: Tensor) -> bool:
    """Return whether a parameter is drawn at random, and not filled with one value."""
    return parameter.numel() > 1 and len(torch.unique(parameter.detach())) > 1


@Check(
    "parameters-learn",
    cases=ONE_BATCH,
    bug="transformers#23170: parameters that never get a gradient",
)
def parameters_learn(subject: Subject, batch: RaggedBatch) -> None:
    """Every parameter gets a gradient that is finite and not 0 everywhere."""
    component = subject.build()
    probe = subject.probe_of(component)
    for seed in range(3):
        inputs = probe.inputs(RaggedBatch((9, 5, 7), 1, batch.seed + seed))
        # a loss may train only the parts before it, through its input
        outputs = probe.run(inputs.mapped(lambda each: each.requires_grad_()))
        total = projection(outputs)
        _assert_losses_teach(component, outputs)
        if total.requires_grad:
            total.backward()  # type: ignore[no-untyped-call]
    for name, parameter in component.named_parameters():
        assert parameter.requires_grad, f"`{name}` must learn, or be a buffer"
        assert parameter.grad is not None, f"the parameter `{name}` must get a gradient"
        assert bool(parameter.grad.isfinite().all()), f"the gradient of `{name}` must be finite"
        assert bool((parameter.grad != 0).any()), f"the gradient of `{name}` must not be all 0"


def _assert_losses_teach(component: Any, outputs: Outputs) -> None:
    for name, loss in outputs.losses.items():
        teaches = loss.requires_grad or not list(component.parameters())
        assert teaches, f"the loss `{name}` must have a gradient"


@Check(
    "untied",
    cases=ONCE,
    slots=PARTS,
    skip=only_if_not("shared_tensors"),
    bug="safetensors#98, accelerate PR#2875: tied tensors that are not saved, or not tied again",
)
def untied(subject: Subject, data: Nothing) -> None:
    """No two names of the state share memory, and no module stands at two places."""
    # `built`, not `build`: a conversion to another dtype separates tensors that share memory.
    pairs = sorted(_shared(subject.built()))
    assert not pairs, (
        f"`{pairs[0][1]}` and `{pairs[0][0]}` must not share memory, or the component must declare "
        f"`shared_tensors`"
    )


@Check(
    "tied",
    cases=ONCE,
    slots=PARTS,
    skip=only_if("shared_tensors", "does not declare `shared_tensors`"),
    bug="safetensors#98",
)
def tied(subject: Subject, data: Nothing) -> None:
    """A component that declares `shared_tensors` does share some, also after loading."""
    built, loaded = subject.build(), subject.build(seed=1)
    loaded.load_state_dict(built.state_dict())
    pairs = _shared(built)
    assert pairs, "no tensors are shared, so the component must not declare `shared_tensors`"
    lost = sorted(pairs - _shared(loaded))
    assert not lost, f"`{lost[0][0]}` and `{lost[0][1]}` must still be shared after loading"


def _shared(component: Any) -> set[tuple[str, str]]:
    """Return pairs of names in the state that share memory."""
    by_place: dict[int, list[str]] = defaultdict(list)
    for name, tensor in component.state_dict().items():
        if tensor.numel():
            by_place[tensor.untyped_storage().data_ptr()].append(name)
    return {pair for names in by_place.values() for pair in pairwise(names)}
