"""Values at padding have no influence, and a row may consist of padding."""

from __future__ import annotations

import torch
from torch import Tensor

from kokoro_core.testing.check import Check, first_reason, only_if, only_if_not
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES
from kokoro_core.testing.data.compare import (
    assert_finite,
    assert_finite_gradients,
    assert_same_outputs,
    backward,
    must_raise,
    projection,
)
from kokoro_core.testing.data.inputs import Inputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject

NAN = float("nan")


def poisoned(probe: Probe, inputs: Inputs, value: float, index: int) -> Inputs:
    """Return the inputs with this number, or this index, at padding."""
    changed: dict[str, Tensor] = {}
    of_steps = {name for name, said in probe.looks.items() if said.per == "step"}
    of_steps |= probe.recordings.keys()
    for name in (probe.free_at_padding | of_steps) & inputs.padding.keys():
        tensor, mask = inputs.tensors[name], inputs.padding[name]
        # (B, T) -> (B, T) or (B, T, 1)
        mask = mask if tensor.dim() == 2 else mask.unsqueeze(-1)
        changed[name] = tensor.masked_fill(mask, value if tensor.is_floating_point() else index)
    return inputs.changed(**changed)


@Check(
    "padding-poison",
    cases=BATCHES,
    bug="pytorch/audio#4205, SWivid/F5-TTS#1179, DI-engine#333: padding that is heard",
)
def padding_poison(subject: Subject, batch: RaggedBatch) -> None:
    """Other numbers and other phonemes at padding change nothing, the padded outputs included."""
    probe = subject.probe
    inputs = probe.inputs(batch)
    clean = probe.run(inputs)
    for value, index in ((1e4, 0), (-1e4, subject.sizes.vocab_size - 1), (0.0, 1)):
        got = probe.run(poisoned(probe, inputs, value, index))
        promise = f"must not depend on what padding holds, here {value:g} and index {index}"
        assert_same_outputs(got, clean, promise)


def _no_floats(subject: Subject) -> str | None:
    inputs = subject.probe.inputs(RaggedBatch((2, 1)))
    free = subject.probe.free_at_padding | subject.probe.recordings.keys()
    floating = free & inputs.floating.keys()
    return None if floating else "it takes no floating input"


@Check(
    "padding-nan",
    cases=BATCHES,
    skip=first_reason(_no_floats, only_if("nan_safe_padding")),
    bug="pytorch#101967: a NaN in a masked value poisons the row",
)
def padding_nan(subject: Subject, batch: RaggedBatch) -> None:
    """NaN and infinity at padding reach no output and no gradient."""
    probe = subject.probe
    inputs = probe.inputs(batch)
    clean = probe.run(inputs)
    for value in (NAN, float("inf")):
        dirty = poisoned(probe, inputs, value, 0).mapped(lambda each: each.requires_grad_())
        got = probe.run(dirty)
        assert_same_outputs(got, clean, f"must not depend on what padding holds, here {value}")
        backward(projection(got))
        assert_finite_gradients(dirty.floating, f" with {value} at padding")
        _assert_parameters_finite(subject, f" with {value} at padding")


@Check(
    "nan-is-loud",
    cases=BATCHES,
    skip=only_if_not("nan_safe_padding", "padding may hold NaN"),
    bug="pytorch#101967",
    explicit=True,
)
def nan_is_loud(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `nan_safe_padding=False` refuses NaN, or makes its rows NaN."""
    probe = subject.probe
    inputs = probe.inputs(batch)
    clean = probe.run(inputs)
    try:
        got = probe.run(poisoned(probe, inputs, NAN, 0))
    except ValueError:
        return
    for name, tensor in clean.tensors.items():
        valid = ~clean.padding_mask
        quiet = got.tensors[name][valid].isfinite() & (got.tensors[name] != tensor)[valid]
        assert not bool(quiet.any()), f"`{name}` must not change in silence with NaN at padding"


def with_empty_row(inputs: Inputs) -> Inputs:
    """Return the inputs with one more row that consists of padding."""
    more = inputs.select([*range(inputs.rows), 0])
    padding = {name: mask.clone() for name, mask in more.padding.items()}
    for mask in padding.values():
        mask[-1] = True
    tensors = dict(more.tensors)
    if "durations" in tensors:
        tensors["durations"] = tensors["durations"].masked_fill(padding["durations"], 0)
    return Inputs(tensors, padding)


@Check(
    "empty-row",
    cases=BATCHES,
    skip=only_if("empty_rows"),
    bug="pytorch#41508, pytorch#81077, NeMo#15562: a fully masked row is NaN",
)
def empty_row(subject: Subject, batch: RaggedBatch) -> None:
    """A row of padding alone is finite, as its gradients are, and leaves other rows as they are."""
    probe = subject.probe
    inputs = probe.inputs(batch)
    more = with_empty_row(inputs).mapped(lambda each: each.clone().requires_grad_())
    clean, got = probe.run(inputs), probe.run(more)
    assert_finite(got.tensors, " with an empty row")
    for name, loss in got.losses.items():
        assert bool(loss.isfinite()), f"the loss `{name}` must be finite with an empty row"
    others = probe.run(with_empty_row(inputs).select([*range(inputs.rows)]))
    assert_same_outputs(others, clean, "must be the same without the empty row")
    for name, tensor in clean.tensors.items():
        kept = got.tensors[name][: inputs.rows]
        assert (
            torch.allclose(kept, tensor, rtol=1e-9, atol=1e-9) or subject.dtype is torch.float32
        ), f"`{name}` must not change when an empty row joins"
    backward(projection(got))
    assert_finite_gradients(more.floating, " with an empty row")
    _assert_parameters_finite(subject, " with an empty row")


def _assert_parameters_finite(subject: Subject, where: str) -> None:
    try:
        assert_finite_gradients(dict(subject.component.named_parameters()), where)
    finally:
        subject.component.zero_grad()  # the component is shared by all checks


@Check(
    "empty-row-is-refused",
    cases=BATCHES,
    skip=only_if_not("empty_rows", "a row may be empty"),
    bug="pytorch#11514, tacotron2#169: a zero length breaks packing",
    explicit=True,
)
def empty_row_is_refused(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `empty_rows=False` raises a ValueError for such a row."""
    otherwise = "a row of padding alone must raise a ValueError, or be declared"
    with must_raise(ValueError, otherwise=otherwise):
        subject.probe.run(with_empty_row(subject.probe.inputs(batch)))
