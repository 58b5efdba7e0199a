"""Names of what nobody makes are problems at their lines, and what nobody uses is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from kokoro_core import load_spec
from kokoro_core.cli.commands.check import notes_of
from kokoro_core.params.component import Seq
from kokoro_core.params.features import Feature, PartName
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import ConditionerParams, DecoderParams, EncoderParams
from kokoro_core.spec.problems.problem import SpecError
from registry import Registration
from tests.kokoro_core.spec.toys import Unbuildable, minimal, plugins_with


class GivingEncoder(Unbuildable, EncoderParams):
    """An encoder that gives parts."""

    type: Literal["giving"] = "giving"
    names: Seq[str] = ("mean", "spread")

    def gives_parts(self, sizes: Sizes) -> Mapping[str, int]:
        return dict.fromkeys(self.names, 4)


class NamingDecoder(Unbuildable, DecoderParams):
    """A decoder whose setting names a part, with another in it."""

    type: Literal["naming"] = "naming"
    reads: PartName | None = None
    others: Seq[PartName] = ()
    inner: DecoderParams | None = None

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({self.reads} if self.reads else {*self.others, *_needs(self.inner)})

    @property
    def features(self) -> Mapping[str, Feature]:
        return {"mood": Feature()} if self.reads == "mood" else {}


def _needs(inner: DecoderParams | None) -> frozenset[str]:
    return frozenset() if inner is None else inner.needs


class Vector(Unbuildable, ConditionerParams):
    """A conditioner that takes a feature, or none."""

    type: Literal["vector"] = "vector"
    takes_feature: str = ""

    @property
    def features(self) -> Mapping[str, Feature]:
        feature = Feature(per="row", kind="index")
        return {self.takes_feature: feature} if self.takes_feature else {}

    def width(self, sizes: Sizes) -> int:
        return 2


PLUGINS = plugins_with(
    *(Registration(each, "acme", "acme", "1.0") for each in (GivingEncoder, NamingDecoder, Vector))
)


def problems(**changes: Any) -> list[tuple[str, str, str]]:
    try:
        load_spec(minimal(**changes), plugins=PLUGINS)
    except SpecError as error:
        return [(each.path, each.code, each.message) for each in error.problems]
    return []


def notes(**changes: Any) -> list[str]:
    said = notes_of(load_spec(minimal(**changes), plugins=PLUGINS))
    return [each for each in said if "size of" not in each]


GIVING = {"type": "giving"}


@pytest.mark.parametrize("name", ["mean", "spread", "encoder_hidden", "tone_embedding", "mood"])
def test_a_setting_may_name_all_that_the_model_makes_and_features(name: str) -> None:
    tone = {"tone": {"type": "vector"}}
    decoder = {"type": "naming", "reads": name}
    assert problems(encoder=GIVING, decoder=decoder, conditioners=tone) == []


def test_a_name_of_nothing_is_a_problem_at_the_setting_with_the_name_that_was_meant() -> None:
    [(path, code, message)] = problems(encoder=GIVING, decoder={"type": "naming", "reads": "spred"})
    assert (path, code) == ("decoder.reads", "unmet-need")
    assert message == "no part of this model gives `spred`, did you mean `spread`?"


def test_without_a_near_name_all_that_there_are_are_listed() -> None:
    decoder = {"type": "naming", "reads": "nope"}
    said = [each[2] for each in problems(encoder=GIVING, decoder=decoder)]
    assert said == ["no part of this model gives `nope`; it gives `mean`, `spread`"]
    said = [each[2] for each in problems(decoder=decoder)]
    assert said == ["no part of this model gives `nope`; it gives none by name"]


@pytest.mark.parametrize(
    "decoder",
    [
        {"type": "naming", "others": ["mean", "nope"]},
        {"type": "naming", "inner": {"type": "naming", "reads": "nope"}},
    ],
)
def test_names_in_lists_and_in_inner_components_are_looked_at_too(decoder: Any) -> None:
    [(path, _, message)] = problems(encoder=GIVING, decoder=decoder)
    assert path == ("decoder.others[1]" if "others" in decoder else "decoder.inner.reads")
    assert "gives `nope`" in message


@pytest.mark.parametrize(
    ("spec", "setting", "meant"),
    [
        ("matcha-small", "aligner.prior", "mu"),
        ("matcha-small", "decoder.condition", "mu"),
        ("flow-small", "decoder.mean", "mu"),
    ],
)
def test_settings_of_the_box_that_name_parts_are_checked(
    spec: str, setting: str, meant: str
) -> None:
    with pytest.raises(SpecError, match=f"gives `nope`; it gives `{meant}`") as caught:
        load_spec(spec, overrides={setting: "nope"})
    assert setting in [each.path for each in caught.value.problems]


def test_a_conditioner_that_nobody_uses_is_said() -> None:
    tone: dict[str, Any] = {"tone": {"type": "vector"}}
    [note] = notes(encoder=GIVING, conditioners=tone)
    assert note.startswith(
        "no part uses the vector of `conditioners.tone`, which so learns nothing"
    )
    decoder = {"type": "naming", "reads": "tone_embedding"}
    assert notes(encoder=GIVING, conditioners=tone, decoder=decoder) == []
    tone["tone"]["add"] = True
    assert notes(encoder=GIVING, conditioners=tone) == []


@pytest.mark.parametrize(("feature", "key"), [("speaker", "speakers"), ("language", "languages")])
def test_speakers_and_languages_that_no_part_tells_apart_are_said(feature: str, key: str) -> None:
    [note] = notes(**{key: ["anna", "ben"]})
    assert f"lists `{key}`, but no part of its model takes the feature `{feature}`" in note
    tone = {"tone": {"type": "vector", "takes_feature": feature, "add": True}}
    assert notes(**{key: ["anna", "ben"], "conditioners": tone}) == []
