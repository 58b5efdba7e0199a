"""What every component of the slot must keep: the checks of `kokoro_core.testing`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings

from kokoro_core.scaffold.examples.encoder.params import ExampleParams
from kokoro_core.spec.sizes import Sizes
from kokoro_core.testing import Probe, RaggedBatch, checks, make_probe
from kokoro_core.testing.counting import check_size
from kokoro_core.testing.strategies import ragged_batches

SIZES = Sizes(vocab_size=11, pad_id=0, mel_dim=6, hidden_dim=16)
PROBE = make_probe(ExampleParams(), SIZES)
Promise = Callable[[Probe[Any], RaggedBatch], None]
PROMISES: tuple[Promise, ...] = (
    checks.check_shapes,
    checks.check_padding_is_zero,
    checks.check_row_alone,
    checks.check_padding_may_hold_anything,
    checks.check_inputs_matter,
    checks.check_evaluation_is_pure,
)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_the_component_keeps_its_promises(promise: Promise) -> None:
    @settings(deadline=None, max_examples=10)
    @given(batch=ragged_batches())
    @example(batch=RaggedBatch((1,)))
    @example(batch=RaggedBatch((2, 5, 1), extra=2))
    def holds(batch: RaggedBatch) -> None:
        promise(PROBE, batch)

    holds()


def test_its_size_is_counted_right_without_building_it() -> None:
    check_size(ExampleParams(), SIZES)


def test_every_parameter_learns() -> None:
    checks.check_parameters_learn(PROBE, RaggedBatch((9, 5, 7), extra=1))
