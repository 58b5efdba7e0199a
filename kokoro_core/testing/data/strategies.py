"""Hypothesis strategies for the structure of inputs; the numbers follow from seeds."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from kokoro_core.testing.data.batches import Padding, RaggedBatch

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def ragged_batches(
    *, max_rows: int = 4, max_length: int = 9, max_extra: int = 3
) -> SearchStrategy[RaggedBatch]:
    """Return a strategy of ragged batches; they shrink to one row of one step."""
    from hypothesis import strategies as st

    lengths = st.lists(st.integers(1, max_length), min_size=1, max_size=max_rows).map(tuple)
    return st.builds(RaggedBatch, lengths, st.integers(0, max_extra), st.integers(0, 2**16))


def padding(*, max_extra: int = 3) -> SearchStrategy[Padding]:
    """Return a strategy of padding: its width and its value."""
    from hypothesis import strategies as st

    held = st.sampled_from([0.0, 1.0, -1e4, 1e4])
    return st.builds(Padding, st.integers(0, max_extra), held)


def durations(*, max_rows: int = 3, max_phonemes: int = 6) -> SearchStrategy[list[list[int]]]:
    """Return a strategy of durations, one list per row: mostly small, many 0, some huge."""
    from hypothesis import strategies as st

    frames = st.one_of(st.integers(0, 9), st.just(0), st.sampled_from([500, 2000]))
    row = st.lists(frames, min_size=1, max_size=max_phonemes)
    return st.lists(row, min_size=1, max_size=max_rows)


def chunkings(total: int) -> SearchStrategy[list[int]]:
    """Return a strategy of partitions of `total` steps into chunks of at least one step."""
    from hypothesis import strategies as st

    cuts = st.sets(st.integers(1, total - 1)) if total > 1 else st.just(set[int]())
    return cuts.map(lambda drawn: _chunks(sorted({0, total, *drawn})))


def _chunks(edges: list[int]) -> list[int]:
    return [end - start for start, end in pairwise(edges)]
