"""What padding holds must not matter, and a row may be padding alone."""

from __future__ import annotations

import torch
from torch import Tensor

from kokoro_core.testing.check import check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import BATCHES
from kokoro_core.testing.data.compare import assert_same_outputs, projection
from kokoro_core.testing.data.inputs import Inputs
from kokoro_core.testing.probes import Probe
from kokoro_core.testing.subjects.subject import Subject

NAN = float("nan")


def poisoned(probe: Probe, inputs: Inputs, value: float, index: int) -> Inputs:
    """Return the inputs with another number, or another index, at padding."""
    changed: dict[str, Tensor] = {}
    looks = probe.capabilities.side_inputs.items()
    of_steps = {name for name, said in looks if said.per == "step"}
    for name in (probe.free_at_padding | of_steps) & inputs.padding.keys():
        tensor, mask = inputs.tensors[name], inputs.padding[name]
        # (B, T) -> (B, T) or (B, T, 1)
        mask = mask if tensor.dim() == 2 else mask.unsqueeze(-1)
        changed[name] = tensor.masked_fill(mask, value if tensor.is_floating_point() else index)
    return inputs.changed(**changed)


@check(
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


def _nan_unsafe(subject: Subject) -> str | None:
    return None if subject.capabilities.nan_safe_padding else "declares `nan_safe_padding=False`"


def _has_no_floats(subject: Subject) -> bool:
    probe = subject.probe
    inputs = probe.inputs(RaggedBatch((2, 1)))
    return not (probe.free_at_padding & inputs.floating.keys())


@check(
    "padding-nan",
    cases=BATCHES,
    skip=lambda subject: (
        "it takes no floating input" if _has_no_floats(subject) else _nan_unsafe(subject)
    ),
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
        total = projection(got)
        if total.requires_grad:
            total.backward()  # type: ignore[no-untyped-call]
        for name, tensor in dirty.floating.items():
            gradient = tensor.grad
            assert gradient is None or bool(gradient.isfinite().all()), (
                f"the gradient of `{name}` must be finite with {value} at padding"
            )


@check(
    "nan-is-loud",
    cases=BATCHES,
    skip=lambda subject: None if _nan_unsafe(subject) else "padding may hold NaN",
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
    """Return the inputs with one more row that is padding alone."""
    more = inputs.select([*range(inputs.rows), 0])
    padding = {name: mask.clone() for name, mask in more.padding.items()}
    for mask in padding.values():
        mask[-1] = True
    tensors = dict(more.tensors)
    if "durations" in tensors:
        tensors["durations"] = tensors["durations"].masked_fill(padding["durations"], 0)
    return Inputs(tensors, padding)


def _refuses_empty_rows(subject: Subject) -> str | None:
    return None if subject.capabilities.empty_rows else "declares `empty_rows=False`"


@check(
    "empty-row",
    cases=BATCHES,
    skip=_refuses_empty_rows,
    bug="pytorch#41508, pytorch#81077, NeMo#15562: a fully masked row is NaN",
)
def empty_row(subject: Subject, batch: RaggedBatch) -> None:
    """A row of padding alone is finite, as its gradients are, and leaves other rows as they are."""
    probe = subject.probe
    inputs = probe.inputs(batch)
    more = with_empty_row(inputs).mapped(lambda each: each.clone().requires_grad_())
    clean, got = probe.run(inputs), probe.run(more)
    for name, tensor in got.tensors.items():
        assert bool(tensor.isfinite().all()), f"`{name}` must be finite with an empty row"
    for name, loss in got.losses.items():
        assert bool(loss.isfinite()), f"the loss `{name}` must be finite with an empty row"
    others = probe.run(with_empty_row(inputs).select([*range(inputs.rows)]))
    assert_same_outputs(others, clean, "must be the same without the empty row")
    for name, tensor in clean.tensors.items():
        kept = got.tensors[name][: inputs.rows]
        assert (
            torch.allclose(kept, tensor, rtol=1e-9, atol=1e-9) or subject.dtype is torch.float32
        ), f"`{name}` must not change when an empty row joins"
    total = projection(got)
    if total.requires_grad:
        total.backward()  # type: ignore[no-untyped-call]
    for name, tensor in more.floating.items():
        assert tensor.grad is None or bool(tensor.grad.isfinite().all()), (
            f"the gradient of `{name}` must be finite with an empty row"
        )
    _assert_finite_gradients(subject)


def _assert_finite_gradients(subject: Subject) -> None:
    for name, parameter in subject.component.named_parameters():
        finite = parameter.grad is None or bool(parameter.grad.isfinite().all())
        parameter.grad = None
        assert finite, f"the gradient of the parameter `{name}` must be finite with an empty row"


@check(
    "empty-row-is-refused",
    cases=BATCHES,
    skip=lambda subject: None if _refuses_empty_rows(subject) else "a row may be empty",
    bug="pytorch#11514, tacotron2#169: a zero length breaks packing",
    explicit=True,
)
def empty_row_is_refused(subject: Subject, batch: RaggedBatch) -> None:
    """A component that declares `empty_rows=False` raises a ValueError for such a row."""
    try:
        subject.probe.run(with_empty_row(subject.probe.inputs(batch)))
    except ValueError:
        return
    raise AssertionError("a row of padding alone must raise a ValueError, or be declared")
