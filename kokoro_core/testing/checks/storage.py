"""Saved weights come back, under names that stay."""

from __future__ import annotations

from typing import Any

import torch
from safetensors.torch import load, save

from kokoro_core.testing.check import PARTS, Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONCE, ONE_BATCH, Nothing
from kokoro_core.testing.data.compare import assert_all_identical
from kokoro_core.testing.subjects.counting import check_size
from kokoro_core.testing.subjects.subject import Subject, build_arguments


@Check(
    "round-trip",
    cases=ONE_BATCH,
    slots=PARTS,
    bug="safetensors PR#17, safetensors#98, transformers#34759: weights that do not come back",
)
def round_trip(subject: Subject, batch: RaggedBatch) -> None:
    """Saved as safetensors and loaded into another instance, it gives the same to the bit."""
    original, other = subject.build(seed=1), subject.build(seed=2)
    state = original.state_dict()
    if not subject.capabilities.shared_tensors:
        state = load(save(dict(state)))
    other.load_state_dict(state, strict=True)
    promise = "`{}` must come back as it was saved"
    assert_all_identical(other.state_dict(), original.state_dict(), promise)
    if subject.slot == "positional_encoding":
        return
    inputs = subject.probe.inputs(batch)
    expected, got = (subject.probe_of(each).run(inputs) for each in (original, other))
    promise = "`{}` must be the same after saving and loading"
    assert_all_identical(got.tensors, expected.tensors, promise)


def layout(component: Any) -> dict[str, list[Any]]:
    """Return the shape and dtype of each tensor in a component's state, as JSON values."""
    return {
        name: [list(tensor.shape), str(tensor.dtype).removeprefix("torch.")]
        for name, tensor in component.state_dict().items()
    }


@Check(
    "golden-keys",
    cases=ONCE,
    slots=PARTS,
    skip=lambda subject: None if subject.golden is not None else "no golden keys are given",
    bug="transformers PR#24505, coqui#3177, transformers#31633: old files that no longer load",
)
def golden_keys(subject: Subject, data: Nothing) -> None:
    """Names, shapes and dtypes of the state are those that were written down for this version."""
    with torch.device("meta"):
        found = layout(subject.built())
    golden = dict(subject.golden or {})
    lost, new = golden.keys() - found.keys(), found.keys() - golden.keys()
    assert not lost, f"{sorted(lost)} must stay in the state: old checkpoints have them"
    assert not new, f"{sorted(new)} must not join the state: old checkpoints lack them"
    changed = [name for name in golden if list(golden[name]) != found[name]]
    assert not changed, f"{changed} must keep shape and dtype: old checkpoints have others"


def _no_size(subject: Subject) -> str | None:
    params: Any = subject.params
    said = params.size(**build_arguments(params, subject.sizes))
    return "its `size` says nothing, so no limit holds it" if said is None else None


@Check(
    "size",
    cases=ONCE,
    slots=PARTS,
    skip=_no_size,
    bug="a 10^12-parameter layer is built in a millisecond on the meta device, and then allocated",
)
def size(subject: Subject, data: Nothing) -> None:
    """The size that the settings say is the size that is built, so that limits hold."""
    check_size(subject.params, subject.sizes)
