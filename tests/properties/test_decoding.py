"""What holds for every registered autoregressive decoder."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.testing import decoding
from kokoro_core.testing.batches import RaggedBatch
from kokoro_core.testing.strategies import chunkings, ragged_batches
from tests.properties.components import PROPERTY, cases, tiny_probe

AUTOREGRESSIVE = [
    case
    for case in cases("decoder")
    if isinstance(tiny_probe(case).component, AutoregressiveDecoder)
]


@st.composite
def decodings(draw):
    """Draw a batch, how it is cut into chunks, which rows go on after a fork, and when."""
    batch = draw(ragged_batches(max_length=7))
    chunks = draw(chunkings(batch.width))
    row = st.integers(0, len(batch.lengths) - 1)
    rows = draw(st.lists(row, min_size=1, max_size=4))
    return batch, chunks, rows, draw(st.integers(0, len(chunks)))


@pytest.mark.parametrize("case", AUTOREGRESSIVE)
def test_no_frame_knows_itself_or_a_later_one(case):
    probe = tiny_probe(case)

    @PROPERTY
    @given(batch=ragged_batches(max_rows=2, max_length=6))
    @example(batch=RaggedBatch((1,)))
    @example(batch=RaggedBatch((1, 2)))
    def holds(batch):
        decoding.check_causality(probe, batch)

    holds()


@pytest.mark.parametrize("case", AUTOREGRESSIVE)
def test_steps_in_chunks_and_forks_give_what_one_pass_gives(case):
    probe = tiny_probe(case)
    r = probe.component.reduction_factor
    assert r == 1, "draw chunkings of groups"

    @PROPERTY
    @given(drawn=decodings())
    @example(drawn=(RaggedBatch((1,)), [1], [0], 0))
    @example(drawn=(RaggedBatch((5,)), [1, 1, 1, 1, 1], [0, 0], 3))
    @example(drawn=(RaggedBatch((5,)), [5], [0], 1))
    @example(drawn=(RaggedBatch((2, 5, 1), extra=1), [2, 1, 3], [2, 0, 0], 1))
    @example(drawn=(RaggedBatch((3, 4)), [3, 1], [1], 1))
    def holds(drawn):
        batch, chunks, rows, fork_after = drawn
        decoding.check_step_equals_forward(probe, batch, chunks)
        decoding.check_fork(probe, batch, chunks, rows, fork_after)

    holds()
