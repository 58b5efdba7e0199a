"""Attention of one query a row: the formula, however many keys there are."""

from __future__ import annotations

import pytest
import torch

from kokoro_core.kernels import cpu, reference
from kokoro_core.kernels.cpu import Processor
from kokoro_core.kernels.single_query import LONG, reads_rows, single_query, sum_of_rows


@pytest.mark.parametrize("masked", [None, "added", "of each row", "bool"])
@pytest.mark.parametrize("length", [1, LONG - 1, LONG, 3 * LONG + 1])
@pytest.mark.parametrize("rows", [1, 3])
@torch.no_grad()
def test_it_is_the_formula(rows: int, length: int, masked: str | None) -> None:
    torch.manual_seed(0)
    queries = torch.randn(rows, 2, 1, 8)
    keys, values = (torch.randn(rows, 2, length, 8) for _ in range(2))
    seen = torch.ones(rows, 1, 1, length, dtype=torch.bool)
    seen[:, :, :, length // 2 + 1 :] = False
    added = torch.zeros(seen.shape, dtype=torch.float64).masked_fill(~seen, float("-inf"))
    masks = {"added": added[0, 0].float(), "of each row": added.float(), "bool": seen}
    expected, _ = reference.attention(
        queries.double(), keys.double(), values.double(), None if masked is None else added
    )
    found = single_query(queries, keys, values, None if masked is None else masks[masked])
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_it_is_the_formula_in_float64_to_the_last_digits() -> None:
    queries = torch.randn(2, 3, 1, 8, dtype=torch.float64)
    keys, values = (torch.randn(2, 3, 2 * LONG, 8, dtype=torch.float64) for _ in range(2))
    expected, _ = reference.attention(queries, keys, values)
    found = single_query(queries, keys, values, None)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)


@torch.no_grad()
def test_sums_of_rows_are_products_with_weights() -> None:
    weights, values = torch.rand(6, 1, 50), torch.randn(6, 50, 8)
    expected = (weights.double().transpose(1, 2) * values.double()).sum(1)
    found = sum_of_rows(weights, values)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


def test_rows_are_summed_where_they_are_many_and_fbgemm_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cpu, "processor", lambda: Processor("avx2", float16_products=True))
    many = torch.zeros(2, LONG, 4)
    assert not reads_rows(many)  # somebody may want gradients
    with torch.no_grad():
        assert reads_rows(many)
        assert not reads_rows(many[:, 1:])
        assert not reads_rows(many.double())
        assert not reads_rows(torch.zeros(2, 4, LONG).transpose(1, 2))
        monkeypatch.setattr(cpu, "processor", lambda: Processor("neon"))
        assert not reads_rows(many)


@torch.no_grad()
def test_what_is_kept_from_inference_mode_serves_outside_of_it() -> None:
    weights, values = torch.rand(2, 1, 77), torch.randn(2, 77, 8)
    with torch.inference_mode():
        inside = sum_of_rows(weights, values)
    assert torch.equal(sum_of_rows(weights, values), inside)
