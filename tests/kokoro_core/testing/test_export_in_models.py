"""The checks `export-in-models` and `export-model`: whole models around a component."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from kokoro_core.spec.load import load_spec
from kokoro_core.spec.rules.wiring import parts_of
from kokoro_core.testing.checks import CHECKS, find_checks
from kokoro_core.testing.checks.export_models import DEAR, PLACED, Composition
from kokoro_core.testing.engine.component import check_component
from kokoro_core.testing.engine.levels import LEVELS, level_named
from kokoro_core.testing.engine.runner import CheckPlan, run_check
from kokoro_core.testing.subjects.composed import composed
from kokoro_core.testing.subjects.model_subject import ModelSubject, small_model
from kokoro_core.testing.subjects.subject import Subject
from tests.kokoro_core.testing import toys
from tests.kokoro_core.testing.mutants.catalogue import find_mutant
from tests.kokoro_core.testing.mutants.sound import SOUND
from tests.kokoro_core.testing.test_exports_any_length import OneLength

pytestmark = pytest.mark.same_everywhere

IN_MODELS, WHOLE = "export-in-models", "export-model"


def cheap(params: Any) -> str:
    """Return the case of a model whose other parts are traced soon."""
    subject = Subject(params)
    for number in range(2000):
        spec = composed(subject, number)
        assert spec is not None
        parts = {each.slot: each.type for each in parts_of(spec).values()}
        wanted = {"encoder": "transformer", "decoder": "lstm", "regulator": "repeat"}
        if all(parts[slot] == name for slot, name in wanted.items() if slot != subject.slot):
            return f'{{"number":{number}}}'
    raise AssertionError("There is no such model.")


def result_of(params: Any, level: Any = "ci", only: str = IN_MODELS, **asked: Any) -> Any:
    [result] = check_component(
        params, level=level, only=only, version=2, raises=False, **asked
    ).results
    return result


class SaysOtherwise(toys.Pointwise):
    """Says something else in a graph."""

    def forward(self, mel, padding_mask):
        made = super().forward(mel, padding_mask)
        return made + 1.0 if torch.compiler.is_exporting() else made


def test_a_sound_component_exports_in_a_model() -> None:
    sound = SOUND["recurrent decoder"]
    assert result_of(sound, case=cheap(sound)).status == "passed"


def test_a_component_that_exports_alone_and_not_in_a_model_is_found() -> None:
    broken = find_mutant("an export of one step takes each step for the first").params
    assert result_of(broken, only="export-any-length").status == "passed"
    found = result_of(broken, case=cheap(broken))
    assert found.status == "failed"
    assert "must be the same when the model is exported" in found.reason


def test_a_component_that_cannot_be_traced_is_told_with_the_model_around_it() -> None:
    toy = toys.toy(OneLength)
    found = result_of(toy, case=cheap(toy))
    assert found.status == "failed"
    assert "`postnet` (`OneLength`) cannot be exported because of `torch.arange(" in found.reason
    assert "(in a model of encoder transformer, " in found.reason
    assert found.case == cheap(toy)


def test_a_case_is_tried_again_at_any_level():
    toy = toys.toy(SaysOtherwise)
    found = result_of(toy, "fast", case=cheap(toy))
    assert found.status == "failed"
    assert "must be the same when the model is exported" in found.reason


def test_a_level_of_few_examples_leaves_it_out_and_says_so():
    found = result_of(toys.toy(SaysOtherwise), "fast")
    assert (found.status, found.reason) == (
        "skipped",
        "at level fast it is not tried, since it takes long",
    )


def test_a_component_that_declares_that_it_cannot_is_not_tried():
    assert result_of(toys.toy(SaysOtherwise, exportable=False)).status == "skipped"


def test_levels_try_as_many_models_as_they_can_pay():
    assert {each: level_named(each).examples // DEAR for each in LEVELS} == {
        "fast": 0,
        "ci": 1,
        "nightly": 15,
    }
    assert {each.id for each in CHECKS if each.dear > 1} == {IN_MODELS, WHOLE}


def test_a_number_says_which_model_and_others_are_other_models():
    subject = Subject(SOUND["recurrent decoder"])
    first, again, *others = (composed(subject, number) for number in (0, 0, 1, 2, 3, 4))
    assert first is not None
    assert first == again
    assert any(each is not None and each != first for each in others)
    assert first.decoder == subject.params


@pytest.mark.parametrize("name", ["likelihood predictor", "blending regulator", "flow decoder"])
def test_the_component_stands_in_its_own_place_and_nothing_else_refuses(name):
    subject = Subject(SOUND[name])
    spec = composed(subject, 0)
    assert spec is not None
    parts = parts_of(spec)
    assert parts[subject.slot].type == subject.params.type
    assert all(each.capabilities.exportable is not False for each in parts.values())
    assert "aligner" not in parts


def test_a_component_that_nothing_goes_with_is_left_out_and_says_so(monkeypatch):
    monkeypatch.setattr("kokoro_core.testing.checks.export_models.composed", lambda *_: None)
    found = result_of(toys.toy(toys.Pointwise))
    assert (found.status, found.reason) == (
        "skipped",
        "no model of the installed components takes it",
    )


def of_model(subject: ModelSubject) -> Any:
    [check] = find_checks([WHOLE]).values()
    return run_check(cast("Any", subject), check, CheckPlan(level_named("ci"), seed=0))


def test_the_small_model_of_a_named_spec_exports():
    assert (
        of_model(ModelSubject(small_model(load_spec("parallel")).spec, "parallel")).status
        == "passed"
    )


def test_a_model_with_a_part_that_cannot_be_exported_is_left_out_by_its_name():
    spec = small_model(load_spec("parallel")).spec
    told = toys.toy(toys.Pointwise, exportable=False)
    found = of_model(ModelSubject(spec.model_copy(update={"postnet": told}), "parallel"))
    assert found.status == "skipped"
    assert "`postnet`" in found.reason


def test_the_checks_are_of_version_2_and_of_all_that_speaks():
    found = find_checks([IN_MODELS, WHOLE])
    assert {each.since for each in found.values()} == {2}
    assert found[IN_MODELS].slots == PLACED
    assert found[IN_MODELS].cases.corners == (Composition(0),)
    assert replace(Composition(0), number=3) == Composition(3)
