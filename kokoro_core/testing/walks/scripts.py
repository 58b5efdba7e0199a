"""Decodings: corner cases, and strategies that draw more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kokoro_core.testing.data import strategies
from kokoro_core.testing.data.batches import RaggedBatch
from kokoro_core.testing.data.cases import Cases
from kokoro_core.testing.walks.walk import Decoding, Move

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

ONE_BY_ONE = tuple(Move("step") for _ in range(20))


def _one_by_one() -> SearchStrategy[Decoding]:
    return strategies.ragged_batches(max_length=7).map(lambda batch: Decoding(batch, ONE_BY_ONE))


def decodings() -> SearchStrategy[Decoding]:
    """Return a strategy of batches that are decoded in steps of any size, with forks in between."""
    from hypothesis import strategies as st

    rows = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(tuple)
    move: Any = st.one_of(
        st.builds(Move, st.just("step"), st.integers(1, 4)),
        st.builds(Move, st.sampled_from(["fork", "keep"]), st.just(1), rows),
    )
    moves = st.lists(move, max_size=6).map(tuple)
    return st.builds(Decoding, strategies.ragged_batches(max_length=7), moves)


STEPS = Cases(
    Decoding,
    (
        Decoding(RaggedBatch((1,)), ONE_BY_ONE),
        Decoding(RaggedBatch((1, 1)), ONE_BY_ONE),
        Decoding(RaggedBatch((5,)), ONE_BY_ONE),
        Decoding(RaggedBatch((2, 5, 1), extra=1), ONE_BY_ONE),
        Decoding(RaggedBatch((40, 30)), 2 * ONE_BY_ONE),
    ),
    _one_by_one,
)

DECODINGS = Cases(
    Decoding,
    (
        Decoding(RaggedBatch((5,)), (Move("step", 5),)),
        Decoding(RaggedBatch((5,)), (Move("step", 2), Move("step", 3))),
        Decoding(RaggedBatch((9,)), (Move("step", 4), Move("step", 2), Move("step", 1))),
        Decoding(RaggedBatch((5,)), (Move("step", 1), Move("fork", rows=(0,)))),
        Decoding(RaggedBatch((5,)), (Move("step", 1), Move("fork", rows=(0,)), *ONE_BY_ONE[:2])),
        Decoding(
            RaggedBatch((4, 6)), (Move("step", 2), Move("keep", rows=(0, 1)), *ONE_BY_ONE[:2])
        ),
        Decoding(
            RaggedBatch((4, 6)), (Move("step", 2), Move("fork", rows=(0, 1)), *ONE_BY_ONE[:2])
        ),
        Decoding(
            RaggedBatch((4, 6, 5)), (Move("step", 2), Move("fork", rows=(2, 0)), *ONE_BY_ONE[:2])
        ),
        Decoding(
            RaggedBatch((6, 9, 7), extra=1),
            (
                Move("step", 2),
                Move("fork", rows=(2, 0, 0)),
                Move("step", 1),
                Move("keep", rows=(1,)),
                Move("step", 1),
                Move("fork", rows=(1,)),
            ),
        ),
    ),
    decodings,
)
