"""Layers in a row, recomputed in segments."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from kokoro_core.nn.stack import CheckpointedStack


class Counting(nn.Module):
    """A layer with dropout that counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.calls = 0

    def forward(self, x: Tensor, scale: float) -> Tensor:
        self.calls += 1
        return nn.functional.dropout(self.linear(x) * scale, 0.5, self.training) + x


def make(layers: int, segments: int | None) -> CheckpointedStack:
    torch.manual_seed(0)
    stack = CheckpointedStack(Counting() for _ in range(layers))
    stack.segments = segments
    return stack


def gradients(stack: CheckpointedStack, x: Tensor) -> tuple[Tensor, list[Tensor | None]]:
    torch.manual_seed(1)
    result = stack(x, 0.5)
    result.square().sum().backward()
    return result, [parameter.grad for parameter in stack.parameters()]


@pytest.mark.parametrize("layers", [2, 3, 6])
@pytest.mark.parametrize("segments", [1, 2, 4, 9])
@pytest.mark.parametrize("frozen", [False, True])
def test_recomputing_changes_neither_results_nor_gradients_with_dropout_on(
    layers: int, segments: int, frozen: bool
) -> None:
    plain, checkpointed = make(layers, None), make(layers, segments)
    if frozen:
        plain[0].requires_grad_(False)
        checkpointed[0].requires_grad_(False)
    x = torch.randn(2, 4)
    expected, wanted = gradients(plain, x)
    found, got = gradients(checkpointed, x)
    assert torch.equal(expected, found)
    for one, other in zip(wanted, got, strict=True):
        assert (one is None) == (other is None)
        assert one is None or other is None or torch.equal(one, other)


@pytest.mark.parametrize(
    ("layers", "segments", "expected"),
    [
        (6, 4, [(0, 1), (1, 3), (3, 4), (4, 6)]),
        (3, 4, [(0, 1), (1, 2), (2, 3)]),
        (5, 1, [(0, 5)]),
        (0, 4, []),
    ],
)
def test_segments_cover_every_layer_once(
    layers: int, segments: int, expected: list[tuple[int, int]]
) -> None:
    assert make(layers, segments).bounds() == expected


def test_layers_run_twice_in_training_and_once_elsewhere() -> None:
    stack = make(4, 2)
    stack(torch.randn(2, 4, requires_grad=True), 0.5).sum().backward()
    assert [layer.calls for layer in stack] == [2, 2, 2, 2]
    stack.eval()
    stack(torch.randn(2, 4), 0.5)
    with torch.no_grad():
        stack.train()(torch.randn(2, 4), 0.5)
    assert [layer.calls for layer in stack] == [4, 4, 4, 4]


def test_the_last_segment_can_be_kept() -> None:
    plain, kept = make(5, None), make(5, 3)
    kept.keeps_last = True
    x = torch.randn(2, 4)
    for one, other in zip(gradients(plain, x)[1], gradients(kept, x)[1], strict=True):
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)
    assert [layer.calls for layer in kept] == [2, 2, 2, 1, 1]


def test_a_stack_of_no_layers_gives_what_it_gets() -> None:
    x = torch.randn(2, 4, requires_grad=True)
    for keeps_last in (False, True):
        stack = make(0, 4)
        stack.keeps_last = keeps_last
        assert torch.equal(stack(x, 0.5), x)


def test_recomputing_keeps_fewer_bytes_for_the_way_back() -> None:
    def saved(segments: int | None) -> int:
        stack, kept = make(8, segments), []

        def pack(tensor: Tensor) -> Tensor:
            kept.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            result = stack(torch.randn(64, 4, requires_grad=True), 0.5)
        assert result.requires_grad
        return sum(kept)

    assert saved(4) < saved(None) / 3
