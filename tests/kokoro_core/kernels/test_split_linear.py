"""Weights that several threads read for one row: each thread has outputs of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from kokoro_core.kernels import DecodingViews, cpu
from kokoro_core.kernels.cpu import Processor
from kokoro_core.kernels.decoding import move_to_huge_pages, prepare_for_decoding, threads_of_mkl
from kokoro_core.kernels.fused_linear import FusedLinear
from kokoro_core.kernels.split_linear import SplitLinear, parts_for

AVX2 = Processor("avx2", onednn=True, huge_pages=True)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def expected(x: Tensor, layers: list[nn.Linear]) -> Tensor:
    """Return the layers' results in float64, one number after the other."""
    results = [
        (x.double().unsqueeze(-2) * each.weight.double()).sum(-1)
        + (0 if each.bias is None else each.bias.double())
        for each in layers
    ]
    return torch.cat(results, -1)


@pytest.mark.parametrize("shape", [(1, 1, 24), (1, 24), (1, 5, 24), (3, 2, 24)], ids=str)
@pytest.mark.parametrize("parts", [1, 2, 7])
@pytest.mark.parametrize("outputs", [(14,), (14, 28)], ids=["by rows", "by columns"])
@torch.no_grad()
def test_the_parts_joined_are_what_the_layers_compute(
    shape: tuple[int, ...], parts: int, outputs: tuple[int, ...]
) -> None:
    layers = [nn.Linear(24, each) for each in outputs]
    x = torch.randn(shape)
    found = SplitLinear(layers, parts=parts)(x)
    torch.testing.assert_close(found.double(), expected(x, layers), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_in_float64_they_are_so_to_the_last_digits_and_without_a_bias_too() -> None:
    layer, x = nn.Linear(24, 16, bias=False).double(), torch.randn(1, 1, 24, dtype=torch.float64)
    found = SplitLinear([layer], parts=4)(x)
    torch.testing.assert_close(found, expected(x, [layer]), atol=1e-12, rtol=1e-12)


@torch.no_grad()
def test_a_part_lies_in_one_piece_and_by_columns_if_there_are_more_outputs_than_inputs() -> None:
    wide, narrow = (
        SplitLinear([nn.Linear(8, 32)], parts=2),
        SplitLinear([nn.Linear(32, 8)], parts=2),
    )
    assert (wide.weight.shape, wide.weight.stride()) == ((2, 8, 16), (128, 16, 1))
    assert (narrow.weight.shape, narrow.weight.stride()) == ((2, 32, 4), (128, 1, 32))


def test_there_are_as_many_parts_as_threads_or_as_few_more_as_divide_the_outputs() -> None:
    assert [parts_for(512, threads) for threads in (1, 2, 3, 16)] == [1, 2, 4, 16]
    assert [parts_for(81, threads) for threads in (2, 4, 100)] == [3, 9, 81]


@pytest.mark.fast_kernels
@pytest.mark.usefixtures("two_threads")
@torch.no_grad()
def test_several_threads_split_the_weights_for_one_row_where_there_is_avx2_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu, "processor", lambda: AVX2)
    wide, small = nn.Linear(256, 512), nn.Linear(16, 32)
    [split] = prepare_for_decoding([wide], rows=1)
    assert isinstance(split, SplitLinear)
    assert split.weight.shape[0] == 2
    assert prepare_for_decoding([small], rows=1) == [small]
    assert not isinstance(prepare_for_decoding([wide.bfloat16()], rows=1)[0], SplitLinear)
    assert not isinstance(prepare_for_decoding([wide.float()], rows=2)[0], SplitLinear)


@pytest.mark.parametrize(
    ("level", "threads", "rows", "readers"),
    [
        ("avx2", 1, 1, 1),
        ("avx2", 4, 1, 4),
        ("avx2", 4, 2, 0),
        ("avx512", 1, 1, 1),
        ("avx512", 4, 1, 0),
        ("neon", 4, 1, 0),
    ],
)
def test_mkl_reads_for_one_row_on_one_thread_or_on_all_with_avx2_alone(
    level: cpu.Level, threads: int, rows: int, readers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "processor", lambda: Processor(level, onednn=True))
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert threads_of_mkl(rows) == readers


@pytest.mark.usefixtures("two_threads")
@torch.no_grad()
def test_they_move_to_huge_pages_with_the_others_and_compute_what_they_did() -> None:
    layers = [nn.Linear(256, 512), nn.Linear(512, 256)]
    split, fused = SplitLinear(layers[:1], parts=2), FusedLinear(layers[1:])
    move_to_huge_pages(nn.ModuleList([split, fused]))
    in_one_piece = fused.weight.data_ptr() - split.weight.data_ptr() == 4 * split.weight.numel()
    assert in_one_piece is cpu.processor().huge_pages
    x = torch.randn(1, 1, 256)
    torch.testing.assert_close(split(x).double(), expected(x, layers[:1]), atol=1e-5, rtol=1e-5)


@pytest.mark.fast_kernels
@torch.no_grad()
def test_a_view_is_split_anew_for_another_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu, "processor", lambda: AVX2)
    module = nn.Sequential(nn.Linear(256, 512))
    views: DecodingViews[nn.Sequential] = DecodingViews({"": [("0",)]})
    parts = []
    for threads in (2, 2, 4):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        [split] = views.get(module, rows=1)
        assert isinstance(split, SplitLinear)
        parts.append((split.weight.shape[0], split))
    assert [number for number, _ in parts] == [2, 2, 4]
    assert parts[0][1] is parts[1][1]
