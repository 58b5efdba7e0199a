"""Alignment search against a look at every path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import combinations, pairwise
from types import FrameType
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from kokoro_plugins.alignment import search as searching
from kokoro_plugins.alignment.search import search


def paths(phonemes: int, frames: int) -> Iterator[list[int]]:
    """Yield the durations of every monotonic path that visits all phonemes."""
    for cuts in combinations(range(1, frames), phonemes - 1):
        bounds = [0, *cuts, frames]
        yield [end - start for start, end in pairwise(bounds)]


def total(score: Tensor, durations: list[int]) -> float:
    """Return the sum of a path's scores, (N, T)."""
    phoneme = torch.repeat_interleave(torch.arange(len(durations)), torch.tensor(durations))
    return float(score[phoneme, torch.arange(len(phoneme))].sum())


@given(st.data(), st.integers(0, 2**31))
@example(data=None, seed=0)
def test_no_path_has_a_larger_sum(data: st.DataObject | None, seed: int) -> None:
    shapes = [(1, 1), (1, 4), (3, 3), (2, 6)]
    if data is not None:
        phonemes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
        shapes = [(num, data.draw(st.integers(num, 7))) for num in phonemes]
    generator = torch.Generator().manual_seed(seed)
    longest = max(num for num, _ in shapes), max(most for _, most in shapes)
    score = torch.randn(len(shapes), *longest, generator=generator, dtype=torch.float64)
    phonemes_, frames = (torch.tensor(each) for each in zip(*shapes, strict=True))
    found = search(score, phonemes_, frames)
    for row, (num, most) in enumerate(shapes):
        sums = [total(score[row], each) for each in paths(num, most)]
        assert total(score[row], found[row, :num].tolist()) == pytest.approx(max(sums), abs=1e-12)
        assert not found[row, num:].any()


def test_of_equal_paths_the_one_is_taken_in_which_the_last_phonemes_are_long() -> None:
    found = search(torch.zeros(1, 3, 6), torch.tensor([3]), torch.tensor([6]))
    assert found.tolist() == [[1, 1, 4]]


def test_what_stands_at_padding_decides_nothing() -> None:
    score = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))
    phonemes, frames = torch.tensor([3, 2]), torch.tensor([6, 4])
    spoilt = score.clone()
    spoilt[1, 2:] = torch.inf
    spoilt[1, :, 4:] = torch.nan
    assert torch.equal(search(score, phonemes, frames), search(spoilt, phonemes, frames))


def test_a_row_with_fewer_frames_than_phonemes_is_refused() -> None:
    message = "`score` must have a frame for each phoneme, but row 1 has 3 phonemes and 2 frames"
    with pytest.raises(ValueError, match=message):
        search(torch.zeros(2, 3, 6), torch.tensor([3, 3]), torch.tensor([6, 2]))


def test_where_nothing_is_computed_nothing_is_found() -> None:
    score = torch.zeros(2, 3, 6, device="meta")
    phonemes, frames = (torch.empty(2, dtype=torch.int64, device="meta") for _ in range(2))
    found = search(score, phonemes, frames)
    assert found.is_meta
    assert found.shape == (2, 3)
    assert found.dtype is torch.int64


def lines_run(rows: int, phonemes: int, frames: int) -> int:
    """Return how many lines of the search run for a batch: what Python does, by count."""
    score = torch.zeros(rows, phonemes, frames)
    lengths = torch.full((rows,), phonemes), torch.full((rows,), frames)
    count = 0

    def count_lines(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename != searching.__file__:
            return None
        count += event == "line"
        return count_lines

    before = sys.gettrace()
    sys.settrace(count_lines)
    try:
        search(score, *lengths)
    finally:
        sys.settrace(before)
    return count


def test_a_search_takes_a_pass_over_the_frames_and_none_over_phonemes() -> None:
    few, many = lines_run(1, 4, 50), lines_run(1, 50, 50)
    assert few == many
    assert lines_run(1, 4, 100) - few == pytest.approx(few, rel=0.1)
    more_rows = lines_run(9, 4, 50) - few
    assert more_rows <= 8 * 4  # a row is looked at once, whatever its length
