"""What the kit draws and makes small, for its own checks and for others' tests."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_core.contracts import AutoregressiveDecoder
from kokoro_core.params.capabilities import Capabilities
from kokoro_core.testing import (
    RaggedBatch,
    Subject,
    checks,
    chunkings,
    durations,
    padding,
    ragged_batches,
)
from kokoro_core.testing.check import Check
from kokoro_core.testing.checks import CHECKS
from kokoro_core.testing.data.batches import CORNERS, Padding
from kokoro_core.testing.data.cases import BATCHES, DURATIONS, POSITIONS
from kokoro_core.testing.subjects.tiny import has_dropout, shrunk, with_dropout
from kokoro_core.testing.walks.scripts import DECODINGS
from kokoro_core.testing.walks.walk import Move, Walk
from kokoro_plugins.fastspeech.params import ConvDurationPredictorParams
from kokoro_plugins.transformer.params import (
    SinusoidalParams,
    TransformerDecoderParams,
    TransformerEncoderParams,
)
from tests.kokoro_core.testing.small import tiny_params

pytestmark = pytest.mark.same_everywhere

DRAWN = settings(max_examples=50, deadline=None, derandomize=True, database=None)
KINDS: dict[str, Any] = {
    "batches": BATCHES,
    "durations": DURATIONS,
    "positions": POSITIONS,
    "scripts": DECODINGS,
}


@DRAWN
@given(batch=ragged_batches(max_rows=3, max_length=4, max_extra=2))
@example(batch=RaggedBatch((1,)))
@example(batch=RaggedBatch((2, 4, 1), extra=2, seed=9))
def test_a_ragged_batch_has_the_lengths_and_the_padding_that_it_says(batch):
    mask = batch.padding_mask
    assert mask.shape == (len(batch.lengths), max(batch.lengths) + batch.extra)
    for row, length in zip(mask.tolist(), batch.lengths, strict=True):
        assert row == [step >= length for step in range(len(row))]
    assert torch.equal(
        batch.floats(3), RaggedBatch(batch.lengths, batch.extra, batch.seed).floats(3)
    )
    assert not torch.equal(batch.floats(3), batch.floats(3, stream=1))
    assert int(batch.integers(2, 5).min()) >= 2
    assert int(batch.integers(2, 5).max()) < 5


def test_drawing_numbers_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    RaggedBatch((3, 2), seed=5).floats(4)
    assert torch.equal(before, torch.get_rng_state())


@DRAWN
@given(rows=durations(max_rows=2, max_phonemes=3))
def test_durations_are_whole_and_not_negative(rows):
    assert 1 <= len(rows) <= 2
    assert all(isinstance(frames, int) and frames >= 0 for row in rows for frames in row)


@DRAWN
@given(data=st.data(), total=st.integers(1, 12))
def test_chunks_sum_to_the_whole(data, total):
    chunks = data.draw(chunkings(total))
    assert sum(chunks) == total
    assert min(chunks) >= 1


@DRAWN
@given(drawn=padding(max_extra=2), batch=ragged_batches(max_rows=2, max_length=3))
@example(drawn=Padding(2, -1e4), batch=RaggedBatch((1, 3)))
def test_padding_is_written_behind_each_row_and_nowhere_else(drawn, batch):
    x = batch.floats(2)
    filled = drawn.fill(x, batch.padding_mask)
    assert filled.shape[1] == batch.width + drawn.extra
    for row, length in enumerate(batch.lengths):
        assert torch.equal(filled[row, :length], x[row, :length])
        assert bool((filled[row, length:] == drawn.value).all())


@pytest.mark.parametrize("kind", KINDS)
def test_every_case_is_the_same_when_written_and_read(kind):
    cases = KINDS[kind]

    @DRAWN
    @given(data=cases.drawn())
    def holds(data):
        assert cases.from_json(cases.to_json(data)) == data

    holds()
    for corner in cases.corners:
        assert cases.from_json(cases.to_json(corner)) == corner


def test_the_corners_are_those_that_drawing_may_miss():
    lengths = [corner.lengths for corner in CORNERS]
    assert (1,) in lengths
    assert any(len(each) > 1 and set(each) == {1} for each in lengths)
    assert any(len(each) > 1 and len(set(each)) == 1 and each[0] > 1 for each in lengths)
    assert any(len(each) > 1 and each[0] < max(each) for each in lengths)
    assert any(corner.extra for corner in CORNERS)


def test_a_tiny_configuration_has_small_settings_and_no_dropout():
    for params in tiny_params(TransformerEncoderParams).values():
        assert isinstance(params, TransformerEncoderParams)
        assert isinstance(params.positional_encoding, SinusoidalParams)
        assert (params.num_layers, params.num_heads, params.dropout) == (2, 2, 0.0)
        assert params.positional_encoding.max_len == 64
    norms = [each.model_dump()["norm"] for each in tiny_params(TransformerEncoderParams).values()]
    assert norms == ["pre", "post"]


def test_what_tiny_says_is_not_made_small():
    class Said(ConvDurationPredictorParams):
        """A predictor that wants to be tried with five layers."""

        @classmethod
        def tiny(cls):
            return {"": {"num_layers": 5}}

    (params,) = tiny_params(Said).values()
    assert isinstance(params, Said)
    assert (params.num_layers, params.channels, params.kernel_size) == (5, 8, 3)


def test_dropout_is_set_at_every_depth():
    params = shrunk(TransformerEncoderParams())
    assert with_dropout(params, 0.0) == params
    assert with_dropout(params, 0.4).dropout == 0.4
    assert has_dropout(params)


def test_a_walk_refuses_frames_that_are_not_those_of_one_pass(monkeypatch):
    subject = Subject(tiny_params(TransformerDecoderParams)[""])
    decoder = subject.component
    assert isinstance(decoder, AutoregressiveDecoder)
    honest = decoder.step

    def late(frames, state):
        mel, stop_logits = honest(frames, state)
        return mel + 1e-6, stop_logits

    walk = Walk(subject.probe, RaggedBatch((4,)))
    walk.move(Move("step", 2))
    monkeypatch.setattr(decoder, "step", late)
    with pytest.raises(AssertionError, match="`mel` of frame 2 and on must be the same step by"):
        walk.move(Move("step", 1))


def test_every_check_of_a_file_is_listed_and_its_id_stands_above_its_function():
    found: dict[str, Check[Any]] = {}
    for module in pkgutil.iter_modules(checks.__path__):
        file = importlib.import_module(f"{checks.__name__}.{module.name}")
        found |= {each.id: each for each in vars(file).values() if isinstance(each, Check)}
    assert found == {each.id: each for each in CHECKS}
    for each in CHECKS:
        assert f'"{each.id}",' in inspect.getsource(each.holds), each.id


def test_the_ids_and_meanings_of_the_checks_are_each_one_of_a_kind():
    ids = [each.id for each in CHECKS]
    assert len(set(ids)) == len(ids)
    assert all(each.meaning.endswith(".") and len(each.meaning) < 120 for each in CHECKS)
    assert all(each.bug for each in CHECKS)
    assert len({each.meaning for each in CHECKS}) == len(ids)


def test_a_receptive_field_may_differ_to_both_sides():
    assert Capabilities(receptive_field=3).reach == (3, 3)
    assert Capabilities(receptive_field=(None, 0)).reach == (None, 0)
    assert Capabilities().reach == (None, None)


def test_importing_the_kit_imports_neither_torch_nor_hypothesis():
    code = (
        "import sys, kokoro_core.testing\n"
        "assert not {'torch', 'hypothesis'} & sys.modules.keys(), 'too much is imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_names_what_it_does_not_have():
    import kokoro_core.testing

    with pytest.raises(AttributeError, match=r"`kokoro_core\.testing` has no attribute `nothing`"):
        kokoro_core.testing.nothing  # type: ignore[attr-defined]  # noqa: B018
