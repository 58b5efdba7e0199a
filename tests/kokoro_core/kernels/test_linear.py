"""Linear layers trained through oneDNN, against float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kokoro_core.kernels import cpu
from kokoro_core.kernels.linear import Linear, trains_with_onednn


def gradients(
    layer: Linear, x: Tensor, grad: Tensor, wanted: tuple[bool, bool]
) -> tuple[Tensor, list[Tensor | None]]:
    """Return result and gradients of x, weight and bias, wanted for x and for the parameters."""
    x = x.detach().requires_grad_(wanted[0])
    layer.zero_grad()
    layer.requires_grad_(wanted[1])
    result = layer(x)
    result.backward(grad)
    biases = [] if layer.bias is None else [layer.bias.grad]
    return result.detach(), [x.grad, layer.weight.grad, *biases]


@pytest.mark.parametrize("shape", [(5,), (2, 7, 5), (3, 5), (1, 1, 5), (0, 5)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("wanted", [(True, True), (True, False), (False, True)])
def test_results_and_gradients_are_those_of_float64(
    shape: tuple[int, ...], bias: bool, wanted: tuple[bool, bool]
) -> None:
    layer = Linear(5, 4, bias=bias)
    x, grad = torch.randn(shape), torch.randn(*shape[:-1], 4)
    assert trains_with_onednn(x, layer.weight) is cpu.has_onednn()
    found, got = gradients(layer, x, grad, wanted)
    expected, right = gradients(layer.double(), x.double(), grad.double(), wanted)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)
    for one, other in zip(got, right, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one.double(), other, atol=1e-5, rtol=1e-5)


def test_inputs_and_gradients_with_gaps_are_taken() -> None:
    layer, x = Linear(6, 3), torch.randn(6, 4).t().requires_grad_()
    layer(x).sum().backward()  # the gradient of a sum is one number, expanded
    assert x.grad is not None
    torch.testing.assert_close(x.grad, layer.weight.detach().sum(0).expand(4, -1))
    torch.testing.assert_close(layer.weight.grad, x.detach().sum(0).expand(3, -1))


def test_elsewhere_it_is_torchs() -> None:
    layer, x = Linear(5, 4), torch.randn(2, 5)
    with torch.no_grad():
        assert not trains_with_onednn(x, layer.weight)
        assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))
    with torch.autocast("cpu", torch.bfloat16):
        assert not trains_with_onednn(x, layer.weight)
        assert layer(x).dtype is torch.bfloat16
    for other in (layer.weight.double(), layer.weight.to("meta"), layer.weight.bfloat16()):
        assert not trains_with_onednn(x.to(other), other)
    frozen = layer.requires_grad_(False)
    assert not trains_with_onednn(x, frozen.weight)
