"""A model that takes features is checked with features, and what is wrong with it is found."""

from __future__ import annotations

from typing import Any, cast

import pytest

from kokoro_core.spec.load import load_spec
from kokoro_core.testing.checks import checks_of, find_checks
from kokoro_core.testing.engine.levels import level_named
from kokoro_core.testing.engine.report import Result
from kokoro_core.testing.engine.runner import CheckPlan, run_check
from kokoro_core.testing.subjects.model_subject import small_model
from tests.kokoro_core.testing.mutants.params import CurveParams


def result_of(check: str, name: str, **parts: Any) -> Result:
    """Return the result of a check of a named spec with some parts replaced."""
    spec = load_spec(name).model_copy(update=parts)
    [found] = find_checks([check], checks_of("model")).values()
    plan = CheckPlan(level_named("fast"), seed=0)
    return run_check(cast("Any", small_model(spec)), found, plan)


@pytest.mark.parametrize("check", ["model-rows", "model-losses", "speaking-rows"])
def test_a_model_of_pitch_is_not_skipped(check: str) -> None:
    result = result_of(check, "fastspeech2-small")
    assert result.status == "passed", result.explain()


def test_a_loss_of_an_adaptor_that_counts_padding_is_found_in_the_model() -> None:
    broken = CurveParams(mutant="the loss of the curve is a mean over padding as well")
    for adaptor, status in ((CurveParams(), "passed"), (broken, "failed")):
        result = result_of("model-losses", "small", token_adaptors={"pitch": adaptor})
        assert result.status == status, result.explain()
    assert "the loss `pitch.error` must not count padding" in result.reason
