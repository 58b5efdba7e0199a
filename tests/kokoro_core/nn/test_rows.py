"""Rows that are replaced, against plain Python."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from kokoro_core.nn.cache import BLOCK, KeyValueCache
from kokoro_core.nn.rows import put_rows, rows_at, steps_behind, steps_of


@given(old=st.integers(0, 4), new=st.integers(0, 4), dim=st.integers(1, 2))
def test_replaced_rows_stand_in_their_places_and_shorter_ones_are_filled(
    old: int, new: int, dim: int
) -> None:
    sizes = {1: lambda n: (n, 3), 2: lambda n: (2, n)}[dim]
    before, begun = torch.randn(3, *sizes(old)), torch.randn(2, *sizes(new))
    put = put_rows(before, torch.tensor([2, 0]), begun, dim=dim, fill=7.0)
    for place, row in ((0, begun[1]), (1, before[1]), (2, begun[0])):
        length = row.shape[dim - 1]
        assert torch.equal(put[place].narrow(dim - 1, 0, length), row)
        assert (put[place].narrow(dim - 1, length, max(old, new) - length) == 7).all()


def test_what_was_there_before_is_not_written_to() -> None:
    before = torch.zeros(2, 3)
    put_rows(before, torch.tensor([0]), torch.ones(1, 3))
    assert (before == 0).all()


def test_the_row_that_has_made_most_is_none_behind() -> None:
    made = steps_of(9, torch.tensor([0, 4, 7]), torch.zeros(3, 1))
    assert made.tolist() == [9, 5, 2]
    most, behind = steps_behind(made[1:])
    assert behind is not None
    assert (most, behind.tolist()) == (5, [0, 3])
    assert steps_behind(torch.tensor([4, 4])) == (4, None)
    assert steps_of(4, None, torch.zeros(2, 1)).tolist() == [4, 4]


def test_each_row_is_read_at_its_own_steps() -> None:
    x = torch.arange(12).view(2, 6, 1)
    assert rows_at(x, torch.tensor([[0, 1], [4, 5]])).flatten().tolist() == [0, 1, 10, 11]


def cache_of(rows: int, positions: int, max_len: int = 500) -> KeyValueCache:
    like = torch.zeros(rows, 1, 1, dtype=torch.float64)
    cache = KeyValueCache.empty(like, num_heads=2, head_dim=3, max_len=max_len)
    made = torch.randn(2, rows, 2, positions, 3, dtype=torch.float64)
    cache.write(made[0], made[1], 0)
    return cache


def test_rows_write_at_their_own_positions_and_nowhere_else() -> None:
    cache = cache_of(3, 5)
    before = cache.keys.clone(), cache.values.clone()
    new = torch.randn(2, 3, 2, 2, 3, dtype=torch.float64)
    at = torch.tensor([[5, 6], [0, 1], [3, 4]])
    keys, values = cache.write(new[0], new[1], 5, at)
    for row, places in enumerate(at.tolist()):
        others = [each for each in range(keys.shape[2]) if each not in places]
        for got, was, made in ((keys, before[0], new[0]), (values, before[1], new[1])):
            assert torch.equal(got[row, :, places], made[row])
            assert torch.equal(got[row, :, others], was[row, :, others])


def test_a_cache_grows_for_the_row_that_has_most() -> None:
    cache = cache_of(2, BLOCK)
    new = torch.ones(2, 2, 1, 3, dtype=torch.float64)
    keys, _ = cache.write(new, new, BLOCK, torch.tensor([[BLOCK], [3]]))
    assert keys.shape[2] == 2 * BLOCK
    assert (keys[0, :, BLOCK] == 1).all()
    assert (keys[1, :, 3] == 1).all()
    assert (keys[1, :, BLOCK:] == 0).all()


def test_a_replaced_row_is_0_behind_its_end_even_where_there_was_nan() -> None:
    cache, begun = cache_of(2, 9), cache_of(1, 2, max_len=900)
    cache.keys[1] = cache.values[1] = torch.nan
    kept = cache.keys[0].clone()
    cache.put_rows(torch.tensor([1]), begun)
    assert torch.equal(cache.keys[0], kept)
    assert torch.equal(cache.keys[1, :, :2], begun.keys[0, :, :2])
    assert (cache.keys[1, :, 2:] == 0).all()
    assert (cache.values[1, :, 2:] == 0).all()
    assert cache.max_len == 900


def test_a_cache_is_enlarged_for_a_longer_row() -> None:
    cache, begun = cache_of(2, 3), cache_of(1, BLOCK + 1)
    kept = cache.values[1, :, :3].clone()
    cache.put_rows(torch.tensor([0]), begun)
    assert torch.equal(cache.values[0], begun.values[0])
    assert torch.equal(cache.values[1, :, :3], kept)


def test_memory_is_given_back_where_half_of_it_or_more_is_not_needed() -> None:
    cache = cache_of(1, 4 * BLOCK)
    kept = cache.keys.clone()
    cache.shorten(2 * BLOCK + 1)
    assert cache.keys.shape[2] == 4 * BLOCK
    cache.shorten(BLOCK + 1)
    assert torch.equal(cache.keys, kept[:, :, : 2 * BLOCK])
    assert cache.values.shape[2] == 2 * BLOCK
    assert cache.capacity_for(3 * BLOCK) == 3 * BLOCK
