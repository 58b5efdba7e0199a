"""The feed-forward block against the chain of modules that it stands for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kokoro_core.cost.live_bytes import LiveBytes
from kokoro_core.kernels.dropout import DropoutMasks, draw_seed
from kokoro_core.nn.feed_forward import FeedForward


def chain(block: FeedForward) -> nn.Sequential:
    """Return torch's modules in a row with the block's weights, in float64."""
    row = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Dropout(0.0), nn.Linear(10, 6)).double()
    row.load_state_dict(block.state_dict())
    return row


@pytest.mark.parametrize("training", [True, False])
def test_without_chance_it_is_the_chain_forwards_and_backwards(training: bool) -> None:
    block = FeedForward(hidden_dim=6, ff_dim=10, dropout=0.0 if training else 0.5).train(training)
    x, grad = torch.randn(2, 3, 6), torch.randn(2, 3, 6)
    assert_same(block, chain(block), x, grad, tolerance=1e-5)


@pytest.mark.parametrize("frozen", ["0", "3"])
def test_a_frozen_layer_gets_no_gradient(frozen: str) -> None:
    block = FeedForward(hidden_dim=6, ff_dim=10, dropout=0.0)
    row = chain(block)
    for each in (block, row):
        each.get_submodule(frozen).requires_grad_(False)
    assert_same(block, row, torch.randn(3, 6), torch.randn(3, 6), tolerance=1e-5)


def test_in_bfloat16_it_is_the_chain_roughly() -> None:
    block = FeedForward(hidden_dim=6, ff_dim=10, dropout=0.0)
    x, grad = torch.randn(4, 6), torch.randn(4, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert block(x).dtype is torch.bfloat16
        assert_same(block, chain(block), x, grad, tolerance=0.05)


def assert_same(
    block: nn.Module, row: nn.Module, x: Tensor, grad: Tensor, *, tolerance: float
) -> None:
    ours, theirs = x.clone().requires_grad_(), x.double().requires_grad_()
    with torch.autocast("cpu", enabled=False):
        expected = row(theirs)
    found = block(ours)
    torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=tolerance)
    found.backward(grad.to(found.dtype))
    expected.backward(grad.double())
    pairs = zip(block.parameters(), row.parameters(), strict=True)
    for one, other in [(ours, theirs), *pairs]:
        assert (one.grad is None) == (other.grad is None)
        if one.grad is not None:
            assert one.grad.dtype == one.dtype
            torch.testing.assert_close(
                one.grad.double(), other.grad, atol=tolerance, rtol=tolerance
            )


@pytest.mark.fast_kernels
def test_dropout_lies_between_the_two_layers() -> None:
    block = FeedForward(hidden_dim=6, ff_dim=10, dropout=0.4)
    torch.manual_seed(1)
    mask = DropoutMasks(draw_seed(), 0.4).next((5, 10), torch.float64)
    x = torch.randn(5, 6)
    first, _, _, last = chain(block)
    given = x.double().requires_grad_()
    expected = last(first(given).relu() * mask)
    ours = x.clone().requires_grad_()
    torch.manual_seed(1)
    found = block(ours)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)
    found.sum().backward()
    expected.sum().backward()
    leaves = (given, first.weight, last.weight)
    for mine, each in zip((ours, block[0].weight, block[-1].weight), leaves, strict=True):
        assert each.grad is not None
        torch.testing.assert_close(mine.grad, each.grad.float())


@pytest.mark.fast_kernels
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_wide_layer_is_kept_once(device: str) -> None:
    block = FeedForward(hidden_dim=6, ff_dim=64, dropout=0.5).to(device)
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        block(torch.randn(7, 6, device=device, requires_grad=True))
    assert sum(each.shape[-1] == 64 and each.shape[0] == 7 for each in kept.values()) == 1


@pytest.mark.fast_kernels
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_gradients_of_its_weights_are_gone_before_that_of_the_wide_layer(device: str) -> None:
    rows, hidden, ff = 64, 32, 128
    block = FeedForward(hidden_dim=hidden, ff_dim=ff, dropout=0.5).to(device)
    for each in block.parameters():
        each.grad = torch.zeros_like(each)
    x = torch.randn(rows, hidden, device=device, requires_grad=True)
    grad = torch.randn(rows, hidden, device=device)
    with LiveBytes() as live:
        block(x).backward(grad)
    wide, narrow, weight = 4 * rows * ff, 4 * rows * hidden, 4 * hidden * ff
    # the wide layer, its gradient and the result, but no gradient of a weight
    assert live.peak < 2 * wide + narrow + weight / 2


def test_the_way_back_can_be_taken_twice() -> None:
    block = FeedForward(hidden_dim=6, ff_dim=10, dropout=0.5)
    result = block(torch.randn(5, 6, requires_grad=True)).sum()
    once = torch.autograd.grad(result, list(block.parameters()), retain_graph=True)
    twice = torch.autograd.grad(result, list(block.parameters()))
    for one, other in zip(once, twice, strict=True):
        assert torch.equal(one, other)


def test_checkpoints_know_its_layers_by_the_names_of_a_chain_of_four() -> None:
    names = set(FeedForward(hidden_dim=2, ff_dim=2, dropout=0.1).state_dict())
    assert names == {"0.weight", "0.bias", "3.weight", "3.bias"}


@pytest.mark.parametrize("name", ["0", "1", "3"])
def test_a_hook_sees_each_part_in_training_and_what_it_saw_stays(name: str) -> None:
    block = FeedForward(hidden_dim=6, ff_dim=10, dropout=0.0)
    seen: list[Tensor] = []
    copies: list[Tensor] = []

    def look(module: nn.Module, given: tuple[Tensor, ...], result: Tensor) -> None:
        seen.append(result)
        copies.append(result.detach().clone())

    block.get_submodule(name).register_forward_hook(look)
    assert_same(block, chain(block), torch.randn(3, 6), torch.randn(3, 6), tolerance=1e-5)
    (result,), (copy,) = seen, copies
    assert torch.equal(result, copy)


@pytest.mark.parametrize("name", ["0", "3"])
def test_an_adapter_in_place_of_a_layer_takes_part_in_training(name: str) -> None:
    class Adapter(nn.Module):
        def __init__(self, base: nn.Linear) -> None:
            super().__init__()
            self.base = base
            self.more = nn.Linear(base.in_features, base.out_features)

        @property
        def weight(self) -> Tensor:
            return self.base.weight

        @property
        def bias(self) -> Tensor:
            return self.base.bias

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.base(x) + self.more(x)
            return result

    block = FeedForward(hidden_dim=6, ff_dim=10, dropout=0.0)
    layer = block.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    adapter = Adapter(layer)
    block.register_module(name, adapter)
    x = torch.randn(3, 6)
    expected = block[-1](block[0](x).relu())
    found = block(x)
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert adapter.more.weight.grad is not None
    assert adapter.more.weight.grad.any()


@pytest.mark.parametrize("name", ["0", "1", "3"])
def test_a_forward_put_on_a_part_itself_takes_part_in_training(name: str) -> None:
    block = FeedForward(hidden_dim=6, ff_dim=10, dropout=0.0)
    part = block.get_submodule(name)
    usual = part.forward
    part.forward = lambda x: 2 * usual(x)
    x = torch.randn(3, 6)
    expected = block[-1](block[1](block[0](x)))
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("name", ["0", "3"])
def test_weights_of_a_special_kind_are_asked_themselves_in_training(name: str) -> None:
    asked: list[str] = []

    class Special(Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            asked.append(getattr(func, "__name__", ""))
            return super().__torch_function__(func, types, args, kwargs or {})

    block = FeedForward(hidden_dim=6, ff_dim=10, dropout=0.0)
    layer = block.get_submodule(name)
    layer.register_parameter(
        "weight", nn.Parameter(layer.get_parameter("weight").detach().as_subclass(Special))
    )
    asked.clear()
    block(torch.randn(3, 6, requires_grad=True))
    assert "linear" in asked
