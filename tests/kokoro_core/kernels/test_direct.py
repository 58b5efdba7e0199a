"""What modules compute, called past them: the same, and never past what somebody would miss."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from kokoro_core.kernels import Linear, direct, is_unmodified, may_go_direct
from kokoro_core.kernels.float16_linear import Float16Linear
from kokoro_core.kernels.fused_linear import FusedLinear
from kokoro_core.kernels.int8_linear import Int8Linear
from kokoro_core.kernels.packed_linear import PackedLinear
from kokoro_core.kernels.split_linear import SplitLinear


def linear() -> nn.Linear:
    return nn.Linear(64, 16)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "nn.Linear": linear,
    "without bias": lambda: Linear(64, 16, bias=False),
    "fused": lambda: FusedLinear([linear(), linear()]),
    "fused by columns": lambda: FusedLinear([linear()], by_columns=True),
    "packed": lambda: PackedLinear([linear()]),
    "split": lambda: SplitLinear([linear(), linear()], parts=4),
    "float16": lambda: Float16Linear.of(linear()),
    "int8": lambda: Int8Linear.of(linear()),
    "LayerNorm": lambda: nn.LayerNorm(64),
    "LayerNorm without numbers": lambda: nn.LayerNorm(64, elementwise_affine=False),
    "another": lambda: nn.Sequential(linear(), nn.Tanh()),
}


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES.keys())
@torch.no_grad()
def test_it_is_what_the_module_computes_of_vectors(
    make: Callable[[], nn.Module], rows: int
) -> None:
    torch.manual_seed(0)
    module, x = make(), torch.randn(rows, 64)
    expected = module(x.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(direct(module)(x), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES.keys())
@torch.no_grad()
def test_who_watches_a_module_sees_it_called_as_by_any_other_step(
    make: Callable[[], nn.Module],
) -> None:
    module, x = make(), torch.randn(2, 64)
    seen: list[tuple[int, ...]] = []
    module.register_forward_hook(lambda _, given, __: seen.append(tuple(given[0].shape)))
    expected = module(x.unsqueeze(1)).squeeze(1)
    assert torch.equal(direct(module)(x), expected)
    assert seen == [(2, 1, 64)] * 2


class Twice(nn.LayerNorm):
    """A layer norm that does more than its numbers say."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


@torch.no_grad()
def test_a_module_that_does_more_than_its_class_did_is_called() -> None:
    norm, x = Twice(64), torch.randn(2, 64)
    assert torch.equal(direct(norm)(x), norm(x))
    replaced = nn.LayerNorm(64)
    replaced.forward = lambda x: x + 1  # type: ignore[method-assign, assignment]
    assert torch.equal(direct(replaced)(x), x + 1)


def test_unmodified_is_what_is_of_a_kind_unwatched_and_with_its_own_methods() -> None:
    assert is_unmodified(nn.LayerNorm(4), nn.LayerNorm)
    assert not is_unmodified(Twice(4), nn.LayerNorm)
    watched, replaced = nn.LayerNorm(4), nn.LayerNorm(4)
    watched.register_forward_pre_hook(lambda *_: None)
    assert not is_unmodified(watched, nn.LayerNorm)
    vars(replaced)["reset_parameters"] = lambda: None
    assert not is_unmodified(replaced, nn.LayerNorm)


def test_a_kind_whose_methods_somebody_has_wrapped_is_modified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a profiler does, on the class."""
    original = nn.LayerNorm.forward

    @functools.wraps(original)
    def watching(norm: nn.LayerNorm, x: torch.Tensor) -> torch.Tensor:
        return original(norm, x)

    monkeypatch.setattr(nn.LayerNorm, "forward", watching)
    assert not is_unmodified(nn.LayerNorm(4), nn.LayerNorm)
    monkeypatch.undo()
    assert is_unmodified(nn.LayerNorm(4), nn.LayerNorm)


@pytest.mark.fast_kernels
def test_steps_go_direct_on_a_cpu_where_no_gradient_is_wanted() -> None:
    x = torch.zeros(1, 4)
    assert not may_go_direct(x)
    with torch.no_grad():
        assert may_go_direct(x)
        assert not may_go_direct(x.to("meta"))
    with torch.inference_mode():
        assert may_go_direct(x)
