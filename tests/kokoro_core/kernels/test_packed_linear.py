"""Linear layers laid out for steps compute what the layers do, and are kept while these stay."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kokoro_core.kernels import cpu
from kokoro_core.kernels import decoding as steps
from kokoro_core.kernels.cpu import Processor
from kokoro_core.kernels.decoding import (
    can_copy,
    move_to_huge_pages,
    optimize_for_decoding,
    threads_of_mkl,
    with_children,
)
from kokoro_core.kernels.decoding import prepare_for_decoding as prepare
from kokoro_core.kernels.derived import DerivedCache
from kokoro_core.kernels.fused_linear import FusedLinear, side_by_side
from kokoro_core.kernels.huge_pages import copy_to_huge_pages
from kokoro_core.kernels.packed_linear import PackedLinear
from kokoro_core.nn.cache import BLOCK, KeyValueCache


def prepare_for_decoding(*layers: nn.Module, rows: int) -> nn.Module:
    """Return what stands for layers that become one."""
    fused, *others = prepare(layers, rows=rows)
    assert fused is not None
    assert others == [None] * (len(layers) - 1)
    return fused


AVX512 = Processor("avx512", onednn=True, bfloat16_products=True)


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def layers(dtype: torch.dtype = torch.float32) -> list[nn.Linear]:
    return [nn.Linear(24, width).to(dtype) for width in (16, 40)]


@pytest.mark.parametrize(
    "shape", [(1, 1, 24), (1, 24), (2, 1, 24), (3, 2, 24), (9, 1, 24)], ids=str
)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.03)], ids=str
)
@torch.no_grad()
def test_packed_layers_compute_what_they_computed(
    shape: tuple[int, ...], dtype: torch.dtype, tolerance: float
) -> None:
    both = layers(dtype)
    x = torch.randn(shape, dtype=dtype)
    packed = prepare_for_decoding(*both, rows=2)
    assert isinstance(packed, PackedLinear if cpu.packs(dtype) else FusedLinear)
    expected = torch.cat(
        [F.linear(x.double(), each.weight.double(), each.bias.double()) for each in both], -1
    )
    found = packed(x)
    assert found.dtype is dtype
    torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=tolerance)
    single = prepare_for_decoding(both[0], rows=2)(x)
    torch.testing.assert_close(single, found[..., :16], atol=tolerance, rtol=tolerance)


@torch.no_grad()
def test_a_layer_without_bias_is_packed_too() -> None:
    layer, x = nn.Linear(24, 16, bias=False), torch.randn(1, 1, 24)
    torch.testing.assert_close(
        prepare_for_decoding(layer, rows=2)(x), layer(x), atol=1e-5, rtol=1e-5
    )


def test_what_no_copy_may_stand_for_stays_as_it_is() -> None:
    one, two = layers()
    x = torch.randn(1, 1, 24)
    assert prepare_for_decoding(one, rows=2) is one
    joined = prepare_for_decoding(one, two, rows=2)
    assert isinstance(joined, FusedLinear)
    assert list(joined.parameters()) == []
    result = joined(x)
    torch.testing.assert_close(result, torch.cat([one(x), two(x)], -1))
    result.sum().backward()
    assert one.weight.grad is not None
    with torch.no_grad():
        assert can_copy(one.weight)
        assert not can_copy(one.weight.double())
        assert not can_copy(one.weight.to("meta"))
        with torch.autocast("cpu", torch.bfloat16):
            assert not can_copy(one.weight)


@pytest.mark.parametrize(
    ("processor", "packed"),
    [
        (Processor("avx2", onednn=True), {torch.float32}),
        (Processor("avx512", onednn=True, bfloat16_products=True), {torch.float32, torch.bfloat16}),
        (Processor("neon"), set()),
    ],
    ids=["AVX2", "AVX-512", "Apple"],
)
@torch.no_grad()
def test_only_types_that_onednn_multiplies_are_packed(
    processor: Processor, packed: set[torch.dtype], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "processor", lambda: processor)
    monkeypatch.setattr(torch._C, "_get_mkldnn_enabled", lambda: True)
    monkeypatch.setattr(steps, "PackedLinear", lambda _: "packed")
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        one, two = layers(dtype)
        single = cast("object", prepare_for_decoding(one, rows=2))
        assert single is one if dtype not in packed else single == "packed"
        joined = cast("object", prepare_for_decoding(one, two, rows=2))
        assert (joined == "packed") is (dtype in packed)


@pytest.mark.usefixtures("one_thread")
@torch.no_grad()
def test_one_row_of_float32_reads_wide_weights_by_columns_and_narrow_ones_by_rows() -> None:
    wide, narrow, small = nn.Linear(256, 512), nn.Linear(512, 256), nn.Linear(16, 32)
    x = torch.randn(1, 1, 256)
    by_columns, by_rows = prepare_for_decoding(wide, rows=1), prepare_for_decoding(narrow, rows=1)
    assert isinstance(by_columns, FusedLinear)
    assert isinstance(by_rows, FusedLinear)
    assert by_columns.weight.stride() == (1, 512)
    assert by_rows.weight.stride() == (512, 1)
    torch.testing.assert_close(by_columns(x), wide(x), atol=1e-5, rtol=1e-5)
    assert prepare_for_decoding(small, rows=1) is small
    packed = isinstance(prepare_for_decoding(wide.bfloat16(), rows=1), PackedLinear)
    assert packed is cpu.packs(torch.bfloat16)


@torch.no_grad()
def test_several_threads_read_for_one_row_as_for_many_where_there_is_avx_512(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(cpu, "processor", lambda: AVX512)
    try:
        torch.set_num_threads(2)
        assert threads_of_mkl(1) == 0
        packed = isinstance(prepare_for_decoding(nn.Linear(256, 512), rows=1), PackedLinear)
        assert packed is cpu.packs(torch.float32)
        torch.set_num_threads(1)
        assert threads_of_mkl(1) == 1
        assert threads_of_mkl(2) == 0
    finally:
        torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@torch.no_grad()
def test_weights_that_have_settled_lie_in_one_piece_and_compute_what_they_did() -> None:
    layers = [nn.Linear(256, 512), nn.Linear(512, 256, bias=False), nn.Linear(16, 32)]
    laid = [prepare_for_decoding(each, rows=1) for each in layers]
    move_to_huge_pages(nn.ModuleList(laid))
    first, second = (each.weight for each in laid[:2] if isinstance(each, FusedLinear))
    in_one_piece = second.data_ptr() - first.data_ptr() == 4 * first.numel()
    assert (in_one_piece and first.data_ptr() % (1 << 21) == 0) is cpu.processor().huge_pages
    for each, layer in zip(laid, layers, strict=True):
        x = torch.randn(1, 1, layer.in_features)
        torch.testing.assert_close(each(x), layer(x), atol=1e-5, rtol=1e-5)
    assert laid[2] is layers[2]


def test_tensors_in_huge_pages_keep_values_types_and_strides() -> None:
    tensors = [
        torch.randn(3, 5),
        torch.randn(4, 6, dtype=torch.bfloat16).t(),
        torch.arange(7),
        torch.zeros(0, 2),
    ]
    copies = copy_to_huge_pages(tensors)
    for one, other in zip(tensors, copies, strict=True):
        assert torch.equal(one, other)
        assert (one.dtype, one.stride()) == (other.dtype, other.stride())
    copies[0].zero_()
    assert bool((tensors[0] != 0).all()) is cpu.processor().huge_pages
    assert torch.equal(copies[1], tensors[1])


def test_where_no_huge_pages_can_be_had_tensors_stay_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu, "processor", lambda: Processor("neon"))
    tensor = torch.randn(2, 3)
    assert copy_to_huge_pages([tensor]) == [tensor]


class Special(Tensor):
    """A tensor of a special kind, as quantised weights are."""


@torch.no_grad()
def test_weights_of_a_special_kind_are_used_as_they_are() -> None:
    one, two = layers()
    for layer in (one, two):
        layer.weight = nn.Parameter(layer.weight.as_subclass(Special), requires_grad=False)
    x = torch.randn(1, 1, 24)
    assert prepare([one, two], rows=1) == [one, two]
    assert torch.equal(side_by_side(x, one, two), torch.cat([one(x), two(x)], -1))
    assert prepare_for_decoding(one, rows=1) is one


@torch.no_grad()
def test_a_view_shares_all_but_what_is_replaced() -> None:
    block = nn.Sequential(nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 24))
    x = torch.randn(1, 1, 24)
    view = optimize_for_decoding(block, {"": [("0",), ("2",)]}, rows=2)
    kind = PackedLinear if cpu.packs(torch.float32) else nn.Linear
    assert [type(each) for each in view] == [kind, nn.ReLU, kind]
    assert view[1] is block[1]
    assert isinstance(block[0], nn.Linear)
    torch.testing.assert_close(view(x), block(x), atol=1e-5, rtol=1e-5)
    assert with_children(block, extra=None)[0] is block[0]


def kept_weight(kept: DerivedCache[Tensor], layer: nn.Linear) -> Tensor:
    return kept.get(layer, lambda: layer.weight.detach().clone())


def test_what_was_made_is_kept_as_long_as_the_module_stays_the_same() -> None:
    kept: DerivedCache[Tensor] = DerivedCache()
    layer = nn.Linear(3, 2)
    first = kept_weight(kept, layer)
    assert kept_weight(kept, layer) is first
    kept.clear()
    assert kept_weight(kept, layer) is not first


@pytest.mark.parametrize("change", ["in place", "through .data", "replaced", "moved", "mode"])
def test_it_is_made_anew_as_soon_as_something_changes(change: str) -> None:
    kept: DerivedCache[Tensor] = DerivedCache()
    layer = nn.Linear(3, 2)
    first = kept_weight(kept, layer)
    if change == "in place":
        with torch.no_grad():
            layer.weight.add_(1)
    elif change == "through .data":
        layer.weight.data[0, 0] += 0.25
    elif change == "replaced":
        layer.weight = nn.Parameter(layer.weight.detach().clone())
    elif change == "moved":
        layer.double()
    else:
        layer.eval()
    again = kept_weight(kept, layer)
    assert again is not first
    assert torch.equal(again, layer.weight)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8], ids=str)
@pytest.mark.parametrize("shape", [(64, 8), (3, 5)], ids=["words", "no words"])
def test_the_least_change_of_one_weight_is_seen_past_torchs_counter(
    dtype: torch.dtype, shape: tuple[int, int]
) -> None:
    kept: DerivedCache[Tensor] = DerivedCache()
    layer = nn.Module()
    layer.register_buffer("weight", torch.full(shape, 3).to(dtype))
    made: list[int] = []

    def make() -> Tensor:
        made.append(len(made))
        return torch.tensor(len(made))

    first = kept.get(layer, make)
    assert kept.get(layer, make) is first
    bits = {4: torch.int32, 2: torch.int16, 1: torch.int8}[dtype.itemsize]
    layer.get_buffer("weight").data.view(bits)[-1, -1] += 1
    assert kept.get(layer, make) is not first


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("dim", [0, 1], ids=["rows", "columns"])
def test_weights_that_change_places_are_seen_past_torchs_counter(
    dtype: torch.dtype, dim: int
) -> None:
    kept: DerivedCache[Tensor] = DerivedCache()
    layer = nn.Linear(512, 256, bias=False).to(dtype)
    first = kept_weight(kept, layer)
    assert kept_weight(kept, layer) is first
    # heads of 128 change places, and every sum stays what it is
    layer.weight.data.copy_(layer.weight.data.roll(128, dim))
    assert torch.equal(kept_weight(kept, layer), layer.weight)


def test_a_layer_that_somebody_begins_to_watch_is_another_one() -> None:
    kept: DerivedCache[Tensor] = DerivedCache()
    layer = nn.Linear(3, 2)
    first = kept_weight(kept, layer)
    handle = layer.register_forward_hook(lambda *_: None)
    watched = kept_weight(kept, layer)
    assert watched is not first
    handle.remove()
    assert kept_weight(kept, layer) is not watched


def test_weights_that_are_not_finite_are_seen_to_stay_the_same() -> None:
    kept: DerivedCache[Tensor] = DerivedCache()
    layer = nn.Linear(8, 8, bias=False)
    layer.weight.data[0, 0] = torch.nan
    assert kept_weight(kept, layer) is kept_weight(kept, layer)


def test_copies_of_a_module_begin_with_nothing_kept() -> None:
    kept: DerivedCache[Tensor] = DerivedCache()
    layer = nn.Linear(3, 2)
    first = kept_weight(kept, layer)
    for other in (copy.deepcopy(kept), copy.copy(kept)):
        assert kept_weight(other, layer) is not first


def test_a_cache_grows_in_blocks_and_holds_what_was_written() -> None:
    cache = KeyValueCache.empty(torch.zeros(2, 0), num_heads=3, head_dim=4, max_len=150)
    written = torch.randn(2, 3, 150, 4)
    rooms = set()
    for start in range(0, 150, 30):
        piece = written[:, :, start : start + 30]
        keys, values = cache.write(piece, -piece, start)
        rooms.add(keys.shape[2])
        end = start + 30
        assert torch.equal(keys[:, :, :end], written[:, :, :end])
        assert torch.equal(values[:, :, :end], -written[:, :, :end])
        assert (keys[:, :, end:] == 0).all()
    assert rooms == {BLOCK, 2 * BLOCK, 150}
    with pytest.raises(ValueError, match="`KeyValueCache` of `max_len` 150 cannot hold 151 posi"):
        cache.write(written[:, :, :1], written[:, :, :1], 150)
