"""Linear layers with 16-bit weights, and which layers get fewer bits."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from kokoro_core.kernels.decoding import prepare_for_decoding as prepare
from kokoro_core.kernels.float16_linear import Float16Linear
from kokoro_core.kernels.int8_linear import Int8Linear
from kokoro_core.kernels.linear import Linear
from kokoro_core.kernels.quantize import quantize_weights


def prepare_for_decoding(*layers: nn.Module, rows: int) -> nn.Module:
    """Return what stands for layers that become one."""
    fused, *others = prepare(layers, rows=rows)
    assert fused is not None
    assert others == [None] * (len(layers) - 1)
    return fused


@given(
    rows=st.integers(1, 9),
    inputs=st.integers(1, 90),
    outputs=st.integers(1, 70),
    bias=st.booleans(),
)
@example(rows=1, inputs=1, outputs=1, bias=True)
@example(rows=5, inputs=7, outputs=33, bias=False)
@example(rows=70, inputs=64, outputs=64, bias=True)
@torch.no_grad()
def test_it_computes_with_weights_that_numpy_rounds_alike(
    rows: int, inputs: int, outputs: int, bias: bool
) -> None:
    layer = nn.Linear(inputs, outputs, bias=bias)
    half = Float16Linear.of(layer)
    x = torch.randn(2, rows, inputs)
    weight = torch.from_numpy(layer.weight.numpy().astype("float16").astype("float64"))
    expected = x.double() @ weight.t()
    if bias:
        expected = expected + layer.bias.double()
    torch.testing.assert_close(half(x).double(), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(half.weight.double(), weight)
    assert (half.bias is None) == (not bias)


@pytest.mark.parametrize("engine", ["qnnpack", "onednn"])
@torch.no_grad()
def test_without_fbgemm_it_computes_the_same(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = nn.Linear(70, 33), torch.randn(2, 5, 70)
    expected = Float16Linear.of(layer)(x)
    monkeypatch.setattr(torch.backends.quantized, "engine", engine)
    half = Float16Linear.of(layer)
    assert half._packed is None
    torch.testing.assert_close(half(x), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(half(x[0, 0]), expected[0, 0], atol=1e-5, rtol=1e-5)
    assert torch.equal(half.weight, layer.weight.half().float())
    assert half.bias is not None
    assert torch.equal(half.bias, layer.bias)


@torch.no_grad()
def test_it_answers_in_the_type_that_it_is_given() -> None:
    half = Float16Linear.of(nn.Linear(8, 4).bfloat16())
    x = torch.randn(3, 8).bfloat16()
    assert half(x).dtype is torch.bfloat16
    torch.testing.assert_close(half(x).float(), half(x.float()), atol=0.01, rtol=0.01)


@pytest.mark.parametrize("value", [70000.0, -70000.0, torch.inf, torch.nan], ids=str)
def test_a_weight_that_float16_has_not_is_refused(value: float) -> None:
    layer = nn.Linear(8, 4)
    layer.weight.data[1, 2] = value
    with pytest.raises(ValueError, match="`Float16Linear` needs weights of at most 65504, not "):
        Float16Linear.of(layer)


@torch.no_grad()
def test_for_steps_layers_over_one_input_become_one() -> None:
    one, two = (Float16Linear.of(nn.Linear(64, width)) for width in (16, 40))
    x = torch.randn(2, 1, 64)
    joined = prepare_for_decoding(one, two, rows=1)
    assert isinstance(joined, Float16Linear)
    torch.testing.assert_close(joined(x), torch.cat([one(x), two(x)], -1))
    assert prepare_for_decoding(one, rows=1) is one
    eight = Int8Linear.of(nn.Linear(64, 8))
    assert prepare([one, eight], rows=1) == [one, eight]


class Own(nn.Linear):
    """A layer with a way of its own."""


@pytest.mark.parametrize(
    ("dtype", "rounded"),
    [
        (torch.int8, ["beyond", "inner.1", "large", "ours"]),
        (torch.float16, ["inner.1", "large", "odd", "ours"]),
    ],
    ids=str,
)
def test_only_large_plain_layers_that_a_kernel_can_take_are_rounded(
    dtype: torch.dtype, rounded: list[str]
) -> None:
    block = nn.ModuleDict(
        {
            "large": nn.Linear(256, 256),
            "ours": Linear(256, 512),
            "small": nn.Linear(64, 80),
            "odd": nn.Linear(300, 300),
            "own": Own(256, 256),
            "beyond": nn.Linear(256, 256),
        }
    )
    block["inner"] = nn.Sequential(nn.ReLU(), nn.Linear(256, 256))
    block["beyond"].get_parameter("weight").data[0, 0] = 1e5
    quantize_weights(block, dtype)
    kind = {torch.int8: Int8Linear, torch.float16: Float16Linear}[dtype]
    found = [name for name, each in block.named_modules() if isinstance(each, kind)]
    assert sorted(found) == rounded


@torch.no_grad()
def test_a_single_vector_does_as_it_does_for_a_linear_layer() -> None:
    layer = nn.Linear(64, 5)
    x = torch.randn(64)
    torch.testing.assert_close(Float16Linear.of(layer)(x), layer(x), atol=1e-3, rtol=0)
