"""What `describe` says of a component beside its settings."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kokoro_core.params.component_failure import ComponentFailure
from kokoro_core.params.features import Feature
from kokoro_core.params.options import Option
from kokoro_core.spec.views.declarations import declarations_of
from tests.kokoro_core.spec.toys import RowDecoder


class Talkative(RowDecoder):
    """Declares one of each."""

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"plan", "speaker"})

    @property
    def features(self) -> Mapping[str, Feature]:
        return {
            "speaker": Feature(per="row", kind="index", width=3),
            "pitch": Feature(per="phoneme", when="training"),
        }

    @property
    def options(self) -> Mapping[str, Option]:
        return {
            "temperature": Option(0.6, low=0.0),
            "steps": Option(10, 1, 50),
            "tilt": Option(1.0),
        }

    @property
    def losses(self) -> Mapping[str, float | None]:
        return {"flow": 2.0, "prior": None}

    @property
    def replaces(self) -> frozenset[str]:
        return frozenset({"stop", "mel"})


def test_each_declaration_is_put_in_words() -> None:
    assert declarations_of(Talkative) == {
        "needs": "plan",
        "features": "speaker (one index of 3 a row), "
        "pitch (one float a phoneme, given in training)",
        "options": "temperature 0.6 ≥ 0, steps 10 ≥ 1 ≤ 50, tilt 1",
        "losses": "flow × 2, prior",
        "replaces": "mel, stop",
    }


def test_a_component_that_declares_nothing_has_nothing_said() -> None:
    assert declarations_of(RowDecoder) == {}


class Demanding(Talkative):
    """Cannot be made without a setting."""

    wanted: int


def test_one_that_needs_settings_has_nothing_said_since_they_may_decide_it() -> None:
    assert declarations_of(Demanding) == {}


class Faulty(RowDecoder):
    """Raises when it is asked."""

    @property
    def losses(self) -> Mapping[str, float | None]:
        raise KeyError("flow")


def test_one_that_raises_is_named() -> None:
    with pytest.raises(ComponentFailure, match=r"the decoder 'rows' .* raised KeyError"):
        declarations_of(Faulty)
