"""A component can be converted, copied and called with inputs of any memory layout."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from kokoro_core.testing.check import PARTS, Check
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import ONCE, ONE_BATCH, Nothing
from kokoro_core.testing.data.compare import assert_identical, assert_same_outputs
from kokoro_core.testing.subjects.registration import OF_TORCH, held_in
from kokoro_core.testing.subjects.subject import Subject


@Check(
    "buffers",
    cases=ONCE,
    slots=PARTS,
    bug="fairseq PR#5213, RT-DETR#677, darts#3052: a table that stays on the old device",
)
def buffers(subject: Subject, data: Nothing) -> None:
    """Every tensor that a component keeps is a parameter or a buffer, so that `to` moves it."""
    component = subject.build()
    _assert_no_plain_tensors(component)  # before the call, which may fail because of them
    _use(subject, component)
    _assert_no_plain_tensors(component)


def _assert_no_plain_tensors(component: Any) -> None:
    own = {id(each) for each in component.parameters()}  # torch's recurrent layers list them
    for path, module in component.named_modules():
        for name, value in vars(module).items():
            if name.startswith("_") and name in OF_TORCH:
                continue
            for tensor in _tensors_in(value):
                assert id(tensor) in own, (
                    f"`{f'{path}.' if path else ''}{name}` is a tensor in a plain attribute; make "
                    f"it {_instead(tensor)}, so that `to` moves it"
                )


def _instead(tensor: Tensor) -> str:
    learns = tensor.requires_grad and tensor.is_leaf
    return "an `nn.Parameter`" if learns else "a buffer (`register_buffer`)"


def _tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in containers, and those that an object of the author's class holds."""
    yield from (each for _, each, _ in held_in(value) if isinstance(each, Tensor))
    if hasattr(value, "__dict__") and not isinstance(value, nn.Module | Tensor | type):
        yield from (each for each in vars(value).values() if isinstance(each, Tensor))


def _use(subject: Subject, component: Any) -> None:
    """Call a component once, since some compute their tables then."""
    if subject.slot == "positional_encoding":
        component.add(torch.zeros(1, 3, subject.sizes.hidden_dim, dtype=subject.dtype), POSITIONS)
        return
    probe = subject.probe_of(component)
    probe.run(probe.inputs(RaggedBatch((3, 2))))


POSITIONS = torch.arange(3)


@Check(
    "meta-device",
    cases=ONCE,
    slots=PARTS,
    bug="transformers#43159: weights that stay on the meta device",
)
def meta_device(subject: Subject, data: Nothing) -> None:
    """On the meta device the same names, shapes and dtypes are built; nothing is computed there."""
    with torch.device("meta"):
        built = subject.built()
    real = subject.built()
    for kind in ("named_parameters", "named_buffers"):
        expected = {name: (each.shape, each.dtype) for name, each in getattr(real, kind)()}
        got = {name: (each.shape, each.dtype) for name, each in getattr(built, kind)()}
        assert got == expected, "what is built on the meta device must have the same tensors"
    on_meta = real.to("meta")
    for name, tensor in (*on_meta.named_parameters(), *on_meta.named_buffers()):
        assert tensor.is_meta, f"`to` must move `{name}`"


@Check(
    "copies",
    cases=ONE_BATCH,
    bug="torchtune#2270, openai/guided-diffusion: copies that are not of their own",
)
def copies(subject: Subject, batch: RaggedBatch) -> None:
    """A deep copy gives the same, and goes on doing so when the original changes."""
    original = subject.build()
    twin = copy.deepcopy(original)
    inputs = subject.probe.inputs(batch)
    expected = subject.probe.run(inputs)
    with torch.no_grad():
        for parameter in original.parameters():
            # different from place to place: a norm would remove a constant
            parameter.add_(torch.randn_like(parameter))
    assert_same_outputs(subject.probe_of(twin).run(inputs), expected, "must be the same of a copy")


@Check(
    "strided-inputs",
    cases=ONE_BATCH,
    bug="pytorch#12230, pytorch#39639: in-place writing to expanded or transposed tensors",
)
def strided_inputs(subject: Subject, batch: RaggedBatch) -> None:
    """Inputs that are transposed, or a slice of something larger, give the same."""
    probe = subject.probe
    inputs = probe.inputs(batch)
    expected = probe.run(inputs)
    for promise, strided in (("transposed", _transposed), ("sliced", _sliced)):
        got = probe.run(inputs.applied(strided))
        assert_same_outputs(got, expected, f"must be the same with {promise} inputs")


def _transposed(tensor: Tensor) -> Tensor:
    return tensor if tensor.dim() < 2 else tensor.transpose(0, 1).contiguous().transpose(0, 1)


def _sliced(tensor: Tensor) -> Tensor:
    wide = tensor.new_ones((*tensor.shape[:-1], 2 * tensor.shape[-1]))
    wide[..., ::2] = tensor
    return wide[..., ::2]


@Check(
    "dtype-and-back",
    cases=ONE_BATCH,
    slots=PARTS,
    bug="gpt-neox#1003, transformers#25681: tables that were computed in half precision",
)
def dtype_and_back(subject: Subject, batch: RaggedBatch) -> None:
    """Tables that are computed and not trained are as exact after bfloat16 and back as before."""
    fresh, moved = subject.build().float(), subject.build().float()
    weights = {name: each.clone() for name, each in moved.state_dict().items()}
    moved = moved.to(torch.bfloat16).float()
    moved.load_state_dict(weights)
    for name, table in fresh.named_buffers():
        if name in weights:
            continue
        now = dict(moved.named_buffers())[name]
        close = torch.allclose(now, table, rtol=1e-5, atol=1e-6)
        assert close, f"the table `{name}` must be as exact after bfloat16 and back as before"
    if subject.slot != "positional_encoding":
        inputs = subject.probe.inputs(batch).mapped(lambda each: each.float())
        got, expected = (
            subject.probe.on(each, torch.float32).run(inputs) for each in (moved, fresh)
        )
        for name, tensor in expected.tensors.items():
            assert_identical(got.tensors[name].isfinite(), tensor.isfinite(), f"`{name}` is finite")
            off = float((got.tensors[name] - tensor).detach().abs().max())
            assert off < 1e-3, f"`{name}` must be the same after bfloat16 and back, not off {off}"
