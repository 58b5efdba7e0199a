"""Wrong inputs raise; they are not silently broadcast, truncated or read out of bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from kokoro_core.testing.check import Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONE_BATCH, Cases
from kokoro_core.testing.data.compare import must_raise
from kokoro_core.testing.data.inputs import Inputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject

BATCH = RaggedBatch((5, 3, 4), 1, 2)
INDICES = "phoneme_indices"


@dataclass(frozen=True)
class Mistake:
    """A mistake of the caller, by name."""

    name: str


Wrong = Callable[[Probe, Inputs], Inputs | None]
"""Returns the inputs with a mistake, or None where a component cannot be given it."""


def _with(name: str | None, change: Callable[[Probe, Any], Any]) -> Wrong:
    """Change the input of this name, where a component has it; None: its first input."""

    def wrong(probe: Probe, inputs: Inputs) -> Inputs | None:
        changed = name or probe.first
        if name == "durations" and probe.params.slot != "regulator":  # others take them as targets
            return None
        if changed not in inputs.tensors or changed in probe.unread:
            return None
        return inputs.changed(**{changed: change(probe, inputs.tensors[changed].clone())})

    return wrong


def _mask(change: Callable[[Any], Any]) -> Wrong:
    def wrong(probe: Probe, inputs: Inputs) -> Inputs | None:
        if probe.first not in inputs.padding:
            return None
        mask = change(inputs.padding[probe.first])
        return replace(inputs, padding=dict.fromkeys(inputs.padding, mask))

    return wrong


def _first_index(indices: Any, value: int) -> Any:
    indices[0, 0] = value
    return indices


def _wider(probe: Probe, inputs: Inputs) -> Inputs | None:
    if probe.first not in inputs.tensors or probe.first in probe.unread:
        return None
    tensor = inputs.tensors[probe.first]
    if tensor.dim() == 2 or (probe.first == "mel_specs" and not hasattr(probe.component, "step")):
        return None
    if probe.params.slot == "regulator":
        return None
    return inputs.changed(**{probe.first: torch.cat([tensor, tensor], -1)})


MISTAKES: dict[str, Wrong] = {
    "a missing axis": _with(None, lambda _, tensor: tensor[0]),
    "an axis too many": _with(None, lambda _, tensor: tensor.unsqueeze(0)),
    "indices that are floats": _with(INDICES, lambda _, indices: indices.double()),
    "an index beyond the vocabulary": _with(
        INDICES, lambda probe, indices: _first_index(indices, probe.sizes.vocab_size)
    ),
    "a negative index": _with(INDICES, lambda _, indices: _first_index(indices, -1)),
    "another width": _wider,
    "a mask that is longer than the tensor": _mask(lambda mask: torch.cat([mask, mask], 1)),
    "a mask that is shorter than the tensor": _mask(lambda mask: mask[:, :-1]),
    "a mask of more rows": _mask(lambda mask: torch.cat([mask, mask])),
    "a mask of numbers": _mask(lambda mask: mask.long()),
    "durations that are floats": _with("durations", lambda _, durations: durations + 0.5),
    "durations of other phonemes": _with("durations", lambda _, durations: durations[:, :-1]),
}
CASES = Cases(Mistake, tuple(Mistake(name) for name in MISTAKES))


@Check(
    "wrong-inputs",
    cases=CASES,
    bug="pytorch#97605, NeMo#2648, Speech-Backbones#28: a mask of the wrong size that is taken",
)
def wrong_inputs(subject: Subject, data: Mistake) -> None:
    """A wrong rank, width, mask or index raises, and is not broadcast, cut or ignored."""
    probe = subject.probe
    wrong = MISTAKES[data.name](probe, probe.inputs(BATCH))
    if wrong is None:
        return
    otherwise = f"{data.name} of `{probe.first}` must raise an error"
    with must_raise(ValueError, TypeError, IndexError, RuntimeError, otherwise=otherwise):
        probe.run(wrong)


def _no_index(subject: Subject) -> str | None:
    found = any(each.kind == "index" for each in subject.probe.looks.values())
    return None if found else "it takes no index by keyword"


@Check(
    "index-range",
    cases=ONE_BATCH,
    skip=_no_index,
    since=2,
    bug="a speaker that the model does not know, clamped or wrapped to another one's voice",
)
def index_range(subject: Subject, batch: RaggedBatch) -> None:
    """An index of a side input that is below 0, or beyond those that there are, raises."""
    probe = subject.probe
    inputs = probe.inputs(batch)
    for name, look in probe.looks.items():
        if look.kind != "index":
            continue
        for wrong in (look.width_in(subject.sizes) or 1, -1):
            changed = inputs.tensors[name].clone()
            changed.view(-1)[0] = wrong
            otherwise = f"`{name}` of {wrong} must raise an error"
            with must_raise(ValueError, IndexError, RuntimeError, otherwise=otherwise):
                probe.run(inputs.changed(**{name: changed}))
