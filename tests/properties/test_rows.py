"""What holds for every registered component that turns rows into rows."""

import pytest
from hypothesis import example, given

from kokoro_core.nn.stack import CheckpointedStack
from kokoro_core.testing import checks
from kokoro_core.testing.batches import CORNERS, RaggedBatch
from kokoro_core.testing.strategies import durations, ragged_batches
from tests.properties.components import PROPERTY, SLOTS, TINY, cases, registered, tiny_probe

ROW_CHECKS = (
    checks.check_shapes,
    checks.check_padding_is_zero,
    checks.check_row_alone,
    checks.check_padding_may_hold_anything,
    checks.check_inputs_matter,
    checks.check_evaluation_is_pure,
    checks.check_training_equals_evaluation,
)


STACKED = [
    case
    for case in cases(*SLOTS)
    if any(isinstance(part, CheckpointedStack) for part in tiny_probe(case).component.modules())
]


def with_corners(test):
    """Try the batches that drawing may miss as well."""
    for batch in CORNERS:
        test = example(batch=batch)(test)
    return test


def test_every_registered_component_is_tried():
    missing = set(registered(*SLOTS, "positional_encoding")) - TINY.keys()
    assert not missing, f"no tiny configuration of {sorted(missing)} in tests/properties"


@pytest.mark.parametrize("check", ROW_CHECKS, ids=lambda check: check.__name__[6:])
@pytest.mark.parametrize("case", cases(*SLOTS))
def test_rows(case, check):
    probe = tiny_probe(case)

    @PROPERTY
    @given(batch=ragged_batches())
    @with_corners
    def holds(batch):
        check(probe, batch)

    holds()


@pytest.mark.parametrize("case", cases(*SLOTS))
def test_every_parameter_learns(case):
    checks.check_parameters_learn(tiny_probe(case), RaggedBatch((9, 5, 7), extra=1))


@pytest.mark.parametrize("segments", [1, 2, 4])
@pytest.mark.parametrize("case", STACKED)
def test_recomputing_in_training_with_dropout_changes_nothing(case, segments):
    probe = tiny_probe(case, dropout=0.4)
    checks.check_checkpointing(probe, RaggedBatch((6, 3, 5), extra=1), segments)


@pytest.mark.parametrize("case", cases("regulator"))
@PROPERTY
@given(rows=durations())
@example(rows=[[0]])
@example(rows=[[0, 0], [0]])
@example(rows=[[1], [0, 0, 1]])
@example(rows=[[20_000, 0, 3], [1]])
def test_regulators_take_any_durations(case, rows):
    checks.check_durations(tiny_probe(case), rows)
