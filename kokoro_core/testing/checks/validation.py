"""Wrong inputs raise; nothing is broadcast, cut or read beside the tensor in silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from kokoro_core.testing.check import check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import Cases
from kokoro_core.testing.data.inputs import Inputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject

BATCH = RaggedBatch((5, 3, 4), 1, 2)


@dataclass(frozen=True)
class Mistake:
    """A mistake of a caller, by its name."""

    name: str


def _tensor(change: Callable[[Any], Any]) -> Callable[[Probe, Inputs], Inputs | None]:
    def changed(probe: Probe, inputs: Inputs) -> Inputs | None:
        return inputs.changed(**{probe.first: change(inputs.tensors[probe.first])})

    return changed


def _mask(change: Callable[[Any], Any]) -> Callable[[Probe, Inputs], Inputs | None]:
    def changed(probe: Probe, inputs: Inputs) -> Inputs | None:
        mask = change(inputs.padding[probe.first])
        return replace(inputs, padding=dict.fromkeys(inputs.padding, mask))

    return changed


def _index(value: int) -> Callable[[Probe, Inputs], Inputs | None]:
    def changed(probe: Probe, inputs: Inputs) -> Inputs | None:
        if probe.first != "phoneme_indices":
            return None
        indices = inputs.tensors["phoneme_indices"].clone()
        indices[0, 0] = value if value < 0 else probe.sizes.vocab_size
        return inputs.changed(phoneme_indices=indices)

    return changed


def _wider(probe: Probe, inputs: Inputs) -> Inputs | None:
    tensor = inputs.tensors[probe.first]
    if tensor.dim() == 2 or (probe.first == "mel_specs" and not hasattr(probe.component, "step")):
        return None
    if probe.params.slot == "regulator":
        return None
    return inputs.changed(**{probe.first: torch.cat([tensor, tensor], -1)})


def _floats(probe: Probe, inputs: Inputs) -> Inputs | None:
    tensor = inputs.tensors[probe.first]
    return None if tensor.is_floating_point() else inputs.changed(**{probe.first: tensor.double()})


def _durations(change: Callable[[Any], Any]) -> Callable[[Probe, Inputs], Inputs | None]:
    def changed(probe: Probe, inputs: Inputs) -> Inputs | None:
        if probe.params.slot != "regulator":
            return None
        return inputs.changed(durations=change(inputs.tensors["durations"]))

    return changed


MISTAKES: dict[str, Callable[[Probe, Inputs], Inputs | None]] = {
    "a missing axis": _tensor(lambda tensor: tensor[0]),
    "an axis too many": _tensor(lambda tensor: tensor.unsqueeze(0)),
    "indices that are floats": _floats,
    "an index beyond the vocabulary": _index(1),
    "a negative index": _index(-1),
    "another width": _wider,
    "a mask that is longer than the tensor": _mask(lambda mask: torch.cat([mask, mask], 1)),
    "a mask that is shorter than the tensor": _mask(lambda mask: mask[:, :-1]),
    "a mask of more rows": _mask(lambda mask: torch.cat([mask, mask])),
    "a mask of numbers": _mask(lambda mask: mask.long()),
    "durations that are floats": _durations(lambda durations: durations + 0.5),
    "durations of other phonemes": _durations(lambda durations: durations[:, :-1]),
}
CASES = Cases(Mistake, tuple(Mistake(name) for name in MISTAKES))


@check(
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
    try:
        probe.run(wrong)
    except (ValueError, TypeError, IndexError, RuntimeError):
        return
    raise AssertionError(f"{data.name} of `{probe.first}` must raise an error")
