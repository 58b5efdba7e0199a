"""What every autoregressive decoder must keep: a step knows the past alone and equals `forward`."""

from __future__ import annotations

import pytest

from kokoro_core.scaffold.examples.decoder.params import ExampleParams
from kokoro_core.spec.sizes import Sizes
from kokoro_core.testing import RaggedBatch, decoding, make_probe

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=16)
PROBE = make_probe(ExampleParams(), SIZES)


@pytest.mark.parametrize("batch", [RaggedBatch((1,)), RaggedBatch((2, 5, 1), extra=1)])
def test_no_frame_knows_itself_or_a_later_one(batch: RaggedBatch) -> None:
    decoding.check_causality(PROBE, batch)


@pytest.mark.parametrize("chunks", [[6], [1] * 6, [2, 1, 3]])
def test_steps_in_chunks_and_forks_give_what_one_pass_gives(chunks: list[int]) -> None:
    batch = RaggedBatch((2, 5, 1), extra=1)
    decoding.check_step_equals_forward(PROBE, batch, chunks)
    decoding.check_fork(PROBE, batch, chunks, rows=[2, 0, 0], fork_after=1)
