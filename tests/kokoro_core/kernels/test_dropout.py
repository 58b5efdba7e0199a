"""Dropout whose masks are seeds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from kokoro_core.cost.live_bytes import LiveBytes
from kokoro_core.kernels.dropout import (
    PARTS,
    PERIOD,
    PIECE,
    Dropout,
    DropoutMasks,
    ReluDropout,
    limits,
    relu_and_drop_,
)

MANY = 200_000


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_share_of_p_is_dropped_and_the_rest_keeps_the_mean(p: float) -> None:
    dropped = Dropout(p)(torch.ones(MANY, dtype=torch.float64))
    share = (dropped == 0).double().mean().item()
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / MANY) ** 0.5)
    kept = dropped[dropped != 0]
    assert torch.allclose(kept, torch.full_like(kept, 1 / (1 - p)), rtol=1e-4)


@pytest.mark.fast_kernels
@pytest.mark.parametrize("make", [Dropout, ReluDropout])
def test_a_probability_just_below_1_still_drops_and_keeps(make: type[nn.Dropout]) -> None:
    dropped = make(1 - 1e-7)(torch.ones(20 * PARTS))
    kept = dropped[dropped != 0]
    assert 0 < len(kept) < 60
    assert set(kept.tolist()) == {float(PARTS)}


@pytest.mark.parametrize("num", [0, 1, 2, 3, 4, 5, 4096, 10_001])
def test_masks_have_any_number_of_places(num: int) -> None:
    assert DropoutMasks(0, 0.5).next((num,), torch.float32).shape == (num,)


@pytest.mark.parametrize("p", [0.1, 0.25, 0.999, 1 / PARTS])
def test_wherever_it_begins_the_probability_is_p(p: float) -> None:
    found = limits(round(p * PARTS), 3 * PERIOD).astype(int)
    for start in range(PERIOD):
        assert found[start : start + PERIOD].sum() == round(p * PARTS)
    assert found.max() - found.min() <= 1


def test_each_place_is_dropped_with_the_same_probability() -> None:
    masks, num, p = DropoutMasks(1, 0.1), 512, 0.1
    dropped = sum((masks.next((num,), torch.float64) == 0).double() for _ in range(4000)) / 4000
    error = (dropped - p) / (p * (1 - p) / 4000) ** 0.5
    assert error.abs().max().item() < 5
    assert error.square().mean().item() == pytest.approx(1, abs=0.3)


def test_neighbouring_places_are_dropped_independently_of_each_other() -> None:
    kept = DropoutMasks(3, 0.5).next((MANY // 8, 8), torch.float32) > 0
    together = torch.corrcoef(kept.double().T) - torch.eye(8)
    assert together.abs().max().item() < 5 / (MANY / 8) ** 0.5


def test_masks_are_the_same_again_from_the_same_seed_and_differ_one_after_the_other() -> None:
    one, again = DropoutMasks(7, 0.3), DropoutMasks(7, 0.3)
    first, second = (one.next((4, 50), torch.float32) for _ in range(2))
    assert torch.equal(first, again.next((4, 50), torch.float32))
    assert torch.equal(second, again.next((4, 50), torch.float32))
    assert not torch.equal(first, second)
    assert not torch.equal(first, DropoutMasks(8, 0.3).next((4, 50), torch.float32))


def test_torchs_seed_decides_what_is_dropped() -> None:
    def drop(seed: int) -> Tensor:
        torch.manual_seed(seed)
        dropped: Tensor = Dropout(0.5)(torch.ones(100))
        return dropped

    assert torch.equal(drop(1), drop(1))
    assert not torch.equal(drop(1), drop(2))


def test_the_gradient_passes_where_the_value_did() -> None:
    x = torch.ones(1000, requires_grad=True)
    dropped = Dropout(0.3)(x)
    dropped.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, dropped.detach())


def test_relu_and_dropout_in_one_are_relu_then_dropout() -> None:
    x = torch.randn(1000, dtype=torch.float64, requires_grad=True)
    found = ReluDropout(0.25)(x)
    found.sum().backward()
    passed = (found.detach() != 0).double()
    scale = PARTS / (PARTS - round(0.25 * PARTS))
    torch.testing.assert_close(found.detach(), x.detach().relu() * passed * scale)
    torch.testing.assert_close(x.grad, passed * scale)
    share = passed[x > 0].mean().item()
    assert share == pytest.approx(0.75, abs=0.1)
    assert not passed[x <= 0].any()


@pytest.mark.parametrize("make", [Dropout, ReluDropout])
@pytest.mark.parametrize(("p", "training"), [(0.0, True), (1.0, True), (0.4, False)])
def test_without_chance_they_are_torchs(make: type[nn.Dropout], p: float, training: bool) -> None:
    x = torch.randn(20)
    expected = nn.Dropout(p).train(training)(x.relu() if make is ReluDropout else x)
    assert torch.equal(make(p).train(training)(x), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_type_of_the_numbers_stays(dtype: torch.dtype) -> None:
    x = torch.randn(9, dtype=dtype, requires_grad=True)
    found = Dropout(0.5)(x)
    found.sum().backward()
    assert found.dtype == dtype
    assert x.grad is not None
    assert x.grad.dtype == dtype


@pytest.mark.fast_kernels
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(("make", "expected"), [(Dropout, 0), (ReluDropout, 1)])
def test_no_mask_is_kept_for_the_way_back(
    make: type[nn.Dropout], expected: int, device: str
) -> None:
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        make(0.5)(torch.randn(6, 5, device=device, requires_grad=True))
    assert [each.shape for each in kept] == [(6, 5)] * expected


def test_a_segment_that_is_computed_again_drops_the_same() -> None:
    layer = nn.Sequential(nn.Linear(8, 8), Dropout(0.5), nn.Linear(8, 8), ReluDropout(0.5))
    x = torch.randn(3, 8)

    def gradients(run: nn.Module | None) -> list[Tensor]:
        torch.manual_seed(5)
        result = layer(x) if run is None else checkpoint(run, x, use_reentrant=False)
        return list(torch.autograd.grad(result.square().sum(), list(layer.parameters())))

    for plain, recomputed in zip(gradients(None), gradients(layer), strict=True):
        assert torch.equal(plain, recomputed)


def test_what_is_dropped_in_place_takes_no_mask_of_all_places() -> None:
    x = torch.ones(3, PIECE)
    torch.manual_seed(0)
    with LiveBytes() as live:
        relu_and_drop_(x, 0.25)
    assert live.peak < 2 * 4 * PIECE
    kept = x > 0
    torch.testing.assert_close(x[kept], torch.full_like(x[kept], 4 / 3))
    assert kept.double().mean(1).tolist() == pytest.approx([0.75] * 3, abs=0.005)
    assert not torch.equal(kept[0], kept[1])
