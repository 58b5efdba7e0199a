"""Features of one name are one thing, in the form in which parts take them."""

from __future__ import annotations

from typing import Any

import pytest

from kokoro_core import SpecError, load_spec

CURVE = {"type": "variance"}
PER_FRAME = {"per": "frame"}


def problem(name: str = "quick", **overrides: Any) -> str:
    with pytest.raises(SpecError) as caught:
        load_spec(name, overrides=overrides)
    [found] = caught.value.problems
    return str(found)


@pytest.mark.parametrize("name", ["plan", "seed", "mel_specs", "encoder_hidden", "options"])
def test_an_adaptor_learns_from_nothing_that_the_model_has_already(name: str) -> None:
    said = problem(frame_adaptors={name: CURVE})
    assert f"frame_adaptors.{name}: learns from the feature `{name}`, which is the name of" in said
    assert said.endswith("[name-collision]")


def test_the_encoder_s_part_and_a_conditioner_s_vector_are_such_names() -> None:
    assert "token_adaptors.mu: learns from" in problem("matcha-small", token_adaptors={"mu": CURVE})
    voices: dict[str, Any] = {"voice": {"type": "lookup", "num": 2, "add": True}}
    taken: dict[str, Any] = {"token_adaptors": {"voice_embedding": CURVE}, "conditioners": voices}
    assert "token_adaptors.voice_embedding: learns from" in problem(**taken)
    described: dict[str, Any] = {"frame_adaptors": {"seed": CURVE}, "features": {"seed": PER_FRAME}}
    assert "features.seed: `seed` is the name of something that every model has" in problem(
        **described
    )
    load_spec("quick", overrides={"token_adaptors": {"a": {**CURVE, "feature": "pitch"}}})


def test_two_parts_take_a_feature_in_one_form() -> None:
    voices = {"voice": {"type": "lookup"}}
    said = problem(speakers=["a"], conditioners=voices, token_adaptors={"speaker": CURVE})
    assert (
        "takes the feature `speaker` as a number for each phoneme, and `conditioners.voice`" in said
    )
    assert "as an index for each row; give one of the two another name" in said
    curve = {**CURVE, "feature": "pitch"}
    both: dict[str, Any] = {"token_adaptors": {"p": curve}, "frame_adaptors": {"q": curve}}
    assert "say in `features` what it has one value for [wrong-feature]" in problem(**both)
    load_spec("quick", overrides={**both, "features": {"pitch": PER_FRAME}})


@pytest.mark.parametrize(
    ("key", "per", "fits"),
    [
        *(("token_adaptors", per, per != "row") for per in ("row", "phoneme", "frame")),
        *(("frame_adaptors", per, per == "frame") for per in ("row", "phoneme", "frame")),
    ],
)
def test_a_feature_is_described_as_it_is_taken(key: str, per: str, *, fits: bool) -> None:
    sections: dict[str, Any] = {key: {"pitch": CURVE}, "features": {"pitch": {"per": per}}}
    if fits:
        load_spec("quick", overrides=sections)
    else:
        assert f"features.pitch.per: '{per}' is not what `{key}.pitch`" in problem(**sections)
