"""The exported state machine passes for a sound decoder and finds a cache that is shared."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from kokoro_core.testing import RaggedBatch, Subject, decoding_machine
from kokoro_core.testing.walks.walk import Walk
from kokoro_plugins.transformer.params import TransformerDecoderParams
from tests.kokoro_core.testing.small import tiny_params

SETTINGS = settings(
    max_examples=15,
    stateful_step_count=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
FINDING = settings(SETTINGS, max_examples=200, phases=[Phase.generate])
CONFIGURATIONS = {
    variant: params
    for variant, params in tiny_params(TransformerDecoderParams).items()
    if isinstance(params, TransformerDecoderParams)
}


@pytest.mark.parametrize("variant", CONFIGURATIONS)
def test_the_built_in_decoder_may_be_stepped_forked_and_reordered_in_any_order(variant):
    run_state_machine_as_test(decoding_machine(CONFIGURATIONS[variant]), settings=SETTINGS)


def test_the_machine_finds_rows_that_are_not_selected(monkeypatch):
    subject = Subject(CONFIGURATIONS[""])
    state = type(Walk(subject.probe, RaggedBatch((2,))).state)
    honest = state.select
    monkeypatch.setattr(state, "select", lambda self, rows: honest(self, rows.sort().values))
    machine = decoding_machine(CONFIGURATIONS[""])
    with pytest.raises(AssertionError, match="must be the same step by step"):
        run_state_machine_as_test(machine, settings=FINDING)
