"""Any parts that go together make a model that trains, is saved and loaded, and speaks."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kokoro_core.testing.compositions import (
    NONE,
    PLACES,
    REFUSALS,
    choices,
    refusal_of,
    trouble_of,
)
from tests.kokoro_core.testing.pairs import covering, every_pair, pairs_of

NEEDING = ("prior_search:prior", "prior_search:latents")
"""Settings of an aligner that need parts of one kind."""

DEMANDING = {
    *(("aligner", each) for each in NEEDING),
    ("duration_predictor", NONE),
    ("regulator", NONE),
}
"""Choices that refuse others: what they need, or leave out, is not everybody's."""

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
DRAWN = 400 if NIGHTLY else 100
"""Compositions that are drawn besides those that cover all pairs."""


def of_pairs() -> dict[str, list[str]]:
    """Return the first settings of each component, and those that need something."""
    return {
        place: [each for each in choices(place) if ":" not in each or each in NEEDING]
        for place in PLACES
    }


def test_every_two_parts_that_go_together_train_and_speak_together(tmp_path: Path) -> None:
    options, codes = of_pairs(), set[str]()

    def allowed(chosen: object) -> bool:
        found = refusal_of(chosen)  # type: ignore[arg-type]
        codes.update(found)
        return not found

    made, refused = covering(options, allowed, seed=0)
    assert codes <= REFUSALS
    assert not [pair for pair in refused if not DEMANDING & set(pair)]
    covered = {pair for each in made for pair in pairs_of(each)}
    assert covered | refused == every_pair(options)
    assert len(covered) >= 700
    assert not [said for each in made if (said := trouble_of(each, tmp_path))]


def test_pairs_of_a_composition_that_is_refused_are_made_otherwise() -> None:
    options = {"a": ["1", "2"], "b": ["1", "2"], "c": ["1", "2"]}
    made, refused = covering(options, lambda each: each["a"] == each["b"], seed=1)
    assert refused == {(("a", "1"), ("b", "2")), (("a", "2"), ("b", "1"))}
    covered = {pair for each in made for pair in pairs_of(each)}
    assert covered == every_pair(options) - refused
    assert all(each["a"] == each["b"] for each in made)


@pytest.mark.slow
@settings(max_examples=DRAWN, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.fixed_dictionaries({each: st.sampled_from(sorted(choices(each))) for each in PLACES}))
def test_any_composition_that_is_accepted_trains_and_speaks(chosen: dict[str, str]) -> None:
    refused = refusal_of(chosen)
    assert refused <= REFUSALS
    if not refused:
        with TemporaryDirectory() as folder:
            said = trouble_of(chosen, Path(folder))
        assert not said
