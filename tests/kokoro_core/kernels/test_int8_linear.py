"""Linear layers with 8-bit weights, against their definition in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor, nn

from kokoro_core.kernels import cpu
from kokoro_core.kernels.cpu import Processor
from kokoro_core.kernels.decoding import optimize_for_decoding
from kokoro_core.kernels.decoding import prepare_for_decoding as prepare
from kokoro_core.kernels.fused_linear import side_by_side
from kokoro_core.kernels.int8_linear import Int8Linear


def prepare_for_decoding(*layers: nn.Module, rows: int) -> nn.Module:
    """Return what stands for layers that become one."""
    fused, *others = prepare(layers, rows=rows)
    assert fused is not None
    assert others == [None] * (len(layers) - 1)
    return fused


def exact(layer: Int8Linear, x: Tensor) -> Tensor:
    """Return input times 8-bit weights times scale, plus bias, in float64."""
    weight = layer.quantised.double() * layer.scale.double().unsqueeze(1)
    result = x.double() @ weight.t()
    return result if layer.bias is None else result + layer.bias.double()


@given(
    rows=st.integers(1, 9),
    inputs=st.integers(1, 4).map(lambda each: 64 * each),
    outputs=st.integers(1, 70),
    bias=st.booleans(),
)
@example(rows=1, inputs=64, outputs=1, bias=True)
@example(rows=5, inputs=128, outputs=33, bias=False)
@torch.no_grad()
def test_it_computes_what_its_weights_say(rows: int, inputs: int, outputs: int, bias: bool) -> None:
    layer = Int8Linear.of(nn.Linear(inputs, outputs, bias=bias))
    x = torch.randn(rows, inputs).bfloat16()
    found, expected = layer(x), exact(layer, x)
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found.double(), expected, atol=0.02, rtol=0.01)


@given(size=st.sampled_from([1e-30, 1e-3, 1.0, 1e4]), seed=st.integers(0, 99))
@torch.no_grad()
def test_a_weight_is_off_by_half_a_step_of_its_outputs_scale(size: float, seed: int) -> None:
    layer = nn.Linear(64, 8)
    layer.weight.copy_(size * torch.randn(8, 64, generator=torch.Generator().manual_seed(seed)))
    rounded = Int8Linear.of(layer)
    steps = layer.weight.double() / rounded.scale.double().unsqueeze(1)
    assert (steps - rounded.quantised).abs().max() <= 0.5 + 1e-6
    assert (rounded.quantised.abs().amax(1) >= 126).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
@torch.no_grad()
def test_weights_of_any_type_are_off_by_half_a_step(dtype: torch.dtype) -> None:
    layer = nn.Linear(128, 512).to(dtype)
    rounded = Int8Linear.of(layer)
    steps = layer.weight.double() / rounded.scale.double().unsqueeze(1)
    assert (steps - rounded.quantised).abs().max() <= 0.5 + 1e-6


@torch.no_grad()
def test_the_smallest_weights_keep_their_sign() -> None:
    layer = nn.Linear(64, 8)
    layer.weight.copy_(torch.linspace(4e-39, 2e-38, 8).unsqueeze(1).expand(8, 64))
    assert (Int8Linear.of(layer).quantised >= 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("way", ["offset", "step", "turned", "repeated"])
@torch.no_grad()
def test_rows_may_lie_anywhere_in_memory(way: str, dtype: torch.dtype) -> None:
    layer = Int8Linear.of(nn.Linear(64, 5))
    x = {
        "offset": torch.randn(1 + 3 * 64).to(dtype)[1:].view(3, 64),
        "step": torch.randn(3, 65).to(dtype)[:, 1:],
        "turned": torch.randn(1, 64, 3).to(dtype).transpose(1, 2),
        "repeated": torch.randn(1, 64).to(dtype).expand(3, 64),
    }[way]
    expected = exact(layer, x.bfloat16())
    torch.testing.assert_close(layer(x).double(), expected, atol=0.02, rtol=0.01)


@torch.no_grad()
def test_an_output_without_weights_stays_at_its_bias() -> None:
    layer = nn.Linear(64, 2)
    layer.weight[0] = 0
    layer.bias.copy_(torch.tensor([0.5, 0.0]))
    x = torch.randn(3, 64).bfloat16()
    assert (Int8Linear.of(layer)(x)[:, 0] == 0.5).all()


@pytest.mark.parametrize("shape", [(1, 1, 64), (2, 3, 64), (64,)], ids=str)
@torch.no_grad()
def test_any_leading_dimensions_do_and_float32_is_rounded_within(shape: tuple[int, ...]) -> None:
    layer = Int8Linear.of(nn.Linear(64, 5))
    x = torch.randn(shape)
    found = layer(x)
    assert found.shape == (*shape[:-1], 5)
    assert found.dtype is torch.float32
    expected = exact(layer, x.bfloat16())
    torch.testing.assert_close(found.double(), expected, atol=0.01, rtol=0.005)


def test_a_width_that_the_kernel_cannot_read_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`Int8Linear` needs inputs whose width .* of 64, not 72"):
        Int8Linear.of(nn.Linear(72, 8))


@torch.no_grad()
def test_for_steps_layers_over_one_input_become_one() -> None:
    layers = [nn.Linear(64, width) for width in (16, 40)]
    one, two = (Int8Linear.of(each) for each in layers)
    x = torch.randn(2, 1, 64).bfloat16()
    joined = prepare_for_decoding(one, two, rows=1)
    assert isinstance(joined, Int8Linear)
    assert torch.equal(joined(x), torch.cat([one(x), two(x)], -1))
    assert prepare_for_decoding(one, rows=1) is one
    other = layers[1].bfloat16()
    assert prepare([one, other], rows=1) == [one, other]
    assert side_by_side(x, one, other).shape == (2, 1, 56)
    block = nn.Sequential(one, nn.ReLU())
    assert optimize_for_decoding(block, {"": [("0",)]}, rows=1)[0] is one


@torch.no_grad()
def test_who_reads_the_weights_multiplies_with_them_what_is_around() -> None:
    layer = Int8Linear.of(nn.Linear(64, 5))
    x = torch.randn(3, 64)
    expected = exact(layer, x) - exact(layer, torch.zeros(3, 64))
    found = x @ layer.weight.t()
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("processor", [Processor("avx2", int8_products=True), Processor("none")])
@torch.no_grad()
def test_the_kernel_runs_only_where_it_is_written_in_vector_instructions(
    processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "processor", lambda: processor)
    layer, x = Int8Linear.of(nn.Linear(64, 5)), torch.randn(3, 64)
    called: list[bool] = []
    kernel = torch._weight_int8pack_mm

    def watched(*args: Tensor) -> Tensor:
        called.append(True)
        return kernel(*args)

    monkeypatch.setattr(torch, "_weight_int8pack_mm", watched)
    torch.testing.assert_close(layer(x).double(), exact(layer, x), atol=0.02, rtol=0.01)
    assert called == [True] * processor.int8_products
