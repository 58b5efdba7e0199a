"""Each declared "no" takes checks away and brings the check that the "no" is true and clear."""

from __future__ import annotations

import pytest
from torch import nn

from kokoro_core.testing.engine.component import check_component
from tests.kokoro_core.testing import toys

pytestmark = pytest.mark.same_everywhere

CASES = [
    # what a toy does, what it declares, the check that falls away, the check that joins
    (toys.KeepsNan, {"nan_safe_padding": False}, "padding-nan", "nan-is-loud"),
    (toys.NoEmptyRow, {"empty_rows": False}, "empty-row", "empty-row-is-refused"),
    (toys.NoHalf, {"low_precision": False}, "low-precision", "low-precision-is-refused"),
    (toys.LooksInside, {"compilable": False}, "compile", "compile-is-refused"),
    (toys.Tied, {"shared_tensors": True}, "untied", "tied"),
]
BESIDE_TORCH = {"params-without-torch": "the toys' params stand beside their modules"}
IDS = [next(iter(declared)) for _, declared, *_ in CASES]


def status(params, check):
    (result,) = check_component(params, only=check, raises=False).results
    return result.status, result.reason


@pytest.mark.parametrize(("kind", "declared", "away", "joins"), CASES, ids=IDS)
def test_a_no_that_is_declared_takes_one_check_away_and_brings_another(kind, declared, away, joins):
    told = toys.toy(kind, **declared)
    assert status(told, away)[0] == "skipped"
    assert status(told, joins)[0] == "passed"


@pytest.mark.parametrize(("kind", "declared", "away", "joins"), CASES, ids=IDS)
def test_a_no_that_is_not_declared_fails(kind, declared, away, joins):
    silent = toys.toy(kind)
    assert status(silent, away)[0] == "failed"
    assert status(silent, joins)[0] == "skipped"


@pytest.mark.parametrize(("kind", "declared", "away", "joins"), CASES[1:], ids=IDS[1:])
def test_a_no_that_is_no_longer_true_fails(kind, declared, away, joins):
    found, reason = status(toys.toy(toys.Pointwise, **declared), joins)
    assert found == "failed"
    assert "must" in reason


def test_a_component_that_makes_a_number_of_nan_is_not_loud():
    found, reason = status(toys.toy(toys.HidesNan, nan_safe_padding=False), "nan-is-loud")
    assert found == "failed"
    assert "must not change in silence" in reason


class Untying(toys.Tied):
    """Reads each of its tied weights on its own, so that they are two from then on."""

    def load_state_dict(self, state_dict, strict=True, assign=False):
        self.twin.weight = nn.Parameter(self.linear.weight.detach().clone())
        return super().load_state_dict(state_dict, strict, assign)


def test_a_tie_that_loading_loses_is_found():
    assert status(toys.toy(toys.Tied, shared_tensors=True), "tied")[0] == "passed"
    found, reason = status(toys.toy(Untying, shared_tensors=True), "tied")
    assert found == "failed"
    assert "`linear.weight` and `twin.weight` must still be shared after loading" in reason


def test_a_component_without_float64_is_checked_in_float32_and_must_refuse_float64():
    told = toys.toy(toys.OnlyFloat32, float64=False, low_precision=False)
    for check in ("shapes", "row-alone", "padding-poison", "sensitivity", "float64-is-refused"):
        assert status(told, check)[0] == "passed", check
    stale = toys.toy(toys.Pointwise, float64=False)
    assert status(stale, "float64-is-refused")[0] == "failed"
    assert status(toys.toy(toys.OnlyFloat32), "shapes")[0] == "failed"


def test_rows_that_are_coupled_in_training_must_be_declared_and_be_so():
    assert status(toys.toy(toys.Couples), "rows-are-coupled")[0] == "passed"
    assert status(toys.toy(toys.Couples), "row-alone-in-training")[0] == "skipped"
    assert status(toys.toy(toys.SaysItCouples), "rows-are-coupled")[0] == "failed"


@pytest.mark.parametrize(("declared", "expected"), [(0, "passed"), (1, "failed"), (None, "failed")])
def test_the_receptive_field_must_be_what_it_is(declared, expected):
    found, reason = status(toys.toy(toys.Pointwise, receptive_field=declared), "reach")
    assert found == expected
    assert expected == "passed" or f"receptive_field={declared}" in reason


@pytest.mark.parametrize(
    ("said", "expected"), [(True, "passed"), (None, "skipped"), (False, "failed")]
)
def test_what_is_said_of_export_must_be_true(said, expected):
    check = "export-is-refused" if said is False else "export"
    assert status(toys.toy(toys.Pointwise, exportable=said), check)[0] == expected


def test_a_component_that_cannot_be_exported_says_so():
    told = toys.toy(toys.LooksInside, exportable=False, compilable=False)
    assert status(told, "export-is-refused")[0] == "passed"
    assert status(toys.toy(toys.LooksInside, exportable=True), "export")[0] == "failed"


def test_side_inputs_are_made_as_they_are_declared():
    report = check_component(toys.SpeakingParams(), expected_failures=BESIDE_TORCH)
    assert {"row-alone", "permutation", "padding-poison", "sensitivity"} <= {
        each.check for each in report.results if each.status == "passed"
    }


def test_a_side_input_that_is_not_read_is_found():
    assert status(toys.SpeakingParams(), "side-inputs-matter")[0] == "passed"
    found, reason = status(toys.DeafParams(), "side-inputs-matter")
    assert found == "failed"
    assert "`speaker` must matter" in reason


def test_a_side_input_of_which_nothing_is_said_is_an_error_that_names_it():
    (result,) = check_component(toys.SilentParams(), only="shapes", raises=False).results
    assert result.status == "failed"
    assert "needs pitch, speaker, which the kit cannot make" in result.reason
    assert "`capabilities.side_inputs`" in result.reason


def test_a_sound_toy_passes_everything():
    report = check_component(toys.toy(toys.Pointwise), level="ci")
    assert report.counts()["passed"] >= 25
