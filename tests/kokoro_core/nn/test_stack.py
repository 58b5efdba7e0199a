"""Layers in a row, recomputed in segments."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

from kokoro_core.nn.batch_norm import MaskedBatchNorm
from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.tensors.noise import RowNoise


class Counting(nn.Module):
    """A layer with dropout that tells each call."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.told: list[None] = []

    @property
    def calls(self) -> int:
        return len(self.told)

    def forward(self, x: Tensor, scale: float) -> Tensor:
        self.told.append(None)
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


class Layer(nn.Module):
    """A layer of width 4; what it keeps between calls is up to its kind."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor, noise: RowNoise) -> Tensor:
        return self.keep(self.linear(x).tanh(), noise)

    def keep(self, x: Tensor, noise: RowNoise) -> Tensor:
        return x


class WithBatchNorm(Layer):
    """Torch's own, which writes its statistics without a new version."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def keep(self, x: Tensor, noise: RowNoise) -> Tensor:
        result: Tensor = self.norm(x)
        return result


class WithMaskedBatchNorm(Layer):
    """Ours."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = MaskedBatchNorm(4)

    def keep(self, x: Tensor, noise: RowNoise) -> Tensor:
        mask = torch.zeros(1, len(x), dtype=torch.bool)
        result: Tensor = self.norm(x.unsqueeze(0), mask)
        return result.squeeze(0)


class WithSpectralNorm(Layer):
    """A power iteration in each call: the weight itself depends on the buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.normed = spectral_norm(nn.Linear(4, 4))

    def keep(self, x: Tensor, noise: RowNoise) -> Tensor:
        result: Tensor = self.normed(x)
        return result


class WithAverage(Layer):
    """An average of what went through, by which it divides; a new tensor in each call."""

    average: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", torch.ones(4))

    def keep(self, x: Tensor, noise: RowNoise) -> Tensor:
        self.average = self.average.lerp(x.detach().square().mean(0), 0.5)
        return x / self.average.sqrt()


class WithCounter(Layer):
    """A scale that grows with every call, and a tensor that is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0
        self.last: Tensor | None = None

    def keep(self, x: Tensor, noise: RowNoise) -> Tensor:
        self.steps += 1
        before, self.last = self.last, x.detach()
        return x * self.steps if before is None else x * self.steps + before


class WithLateCounter(Layer):
    """As `WithCounter`, but the class has the first count and nobody the first tensor."""

    steps = 0

    def keep(self, x: Tensor, noise: RowNoise) -> Tensor:
        self.steps += 1
        before, self.last = getattr(self, "last", None), x.detach()
        return x * self.steps if before is None else x * self.steps + before


class WithNoise(Layer):
    """Two draws in each call."""

    def keep(self, x: Tensor, noise: RowNoise) -> Tensor:
        scale = noise.normal(1, 4, like=x).squeeze(1)
        return x * scale + noise.normal(1, 4, like=x).squeeze(1)


class WithStack(Layer):
    """A stack within the stack, recomputed within the recomputation."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = CheckpointedStack([WithAverage(), WithNoise(), WithBatchNorm()])

    def keep(self, x: Tensor, noise: RowNoise) -> Tensor:
        self.inner.segments = 2
        result: Tensor = self.inner(x, noise)
        return result


KINDS = [
    WithBatchNorm,
    WithMaskedBatchNorm,
    WithSpectralNorm,
    WithAverage,
    WithCounter,
    WithLateCounter,
    WithNoise,
    WithStack,
]


def two_steps(kind: type[Layer], segments: int | None) -> tuple[list[Tensor], list[int | float]]:
    """Return all results, gradients and buffers of two training steps, and what is counted."""
    torch.manual_seed(0)
    stack = CheckpointedStack(kind() for _ in range(3))
    stack.segments = segments
    noise = RowNoise([3, 4, 5])
    tensors = []
    for _ in range(2):
        x = torch.randn(3, 4, requires_grad=True)
        result = stack(x, noise)
        result.square().sum().backward()
        tensors += [result, x.grad]
    tensors += [each.grad for each in stack.parameters()]
    tensors += [each.clone() for each in stack.buffers()]
    tensors.append(noise.normal(1, 1, like=tensors[0]))
    return tensors, [getattr(each, "steps", 0) for each in stack]


@pytest.mark.parametrize("segments", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_layer_keeps_between_calls_moves_once_a_step_however_often_it_is_computed(
    kind: type[Layer], segments: int
) -> None:
    plain, counted = two_steps(kind, None)
    recomputed, counted_again = two_steps(kind, segments)
    assert counted_again == counted
    for found, expected in zip(recomputed, plain, strict=True):
        assert torch.equal(found, expected)


def test_a_batch_is_tracked_once() -> None:
    stack = CheckpointedStack([MaskedBatchNorm(3)])
    stack.segments = 1
    x = torch.randn(2, 5, 3, requires_grad=True)
    stack(x, torch.zeros(2, 5, dtype=torch.bool)).sum().backward()
    assert int(stack.get_buffer("0.num_batches_tracked")) == 1
    torch.testing.assert_close(stack.get_buffer("0.running_mean"), 0.1 * x.detach().mean((0, 1)))


def test_a_buffer_is_the_same_tensor_before_and_after_it_is_recomputed() -> None:
    stack = CheckpointedStack([WithMaskedBatchNorm()])
    stack.segments = 1
    before = stack.get_buffer("0.norm.running_mean")
    stack(torch.randn(3, 4, requires_grad=True), RowNoise([1, 2, 3])).sum().backward()
    assert stack.get_buffer("0.norm.running_mean") is before


def test_an_error_within_the_recomputation_leaves_the_buffers_as_they_were() -> None:
    class Failing(WithBatchNorm):
        fails = False

        def keep(self, x: Tensor, noise: RowNoise) -> Tensor:
            x = super().keep(x, noise)
            if Failing.fails:
                raise RuntimeError("the second time")
            return x * x  # keeps x, so that the recomputation has to come so far

    stack = CheckpointedStack([Failing()])
    stack.segments = 1
    result = stack(torch.randn(3, 4, requires_grad=True), RowNoise([1, 2, 3]))
    kept = [each.clone() for each in stack.buffers()]
    Failing.fails = True
    with pytest.raises(RuntimeError, match="the second time"):
        result.sum().backward()
    for found, expected in zip(stack.buffers(), kept, strict=True):
        assert torch.equal(found, expected)


def test_a_result_can_be_gone_back_from_twice() -> None:
    stack = CheckpointedStack([WithMaskedBatchNorm(), WithNoise()])
    stack.segments = 2
    x = torch.randn(3, 4, requires_grad=True)
    result = stack(x, RowNoise([1, 2, 3])).square().sum()
    [first] = torch.autograd.grad(result, x, retain_graph=True)
    [second] = torch.autograd.grad(result, x)
    assert torch.equal(first, second)
    assert int(stack.get_buffer("0.norm.num_batches_tracked")) == 1
