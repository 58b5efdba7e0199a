"""The registry knows components by slot and name, and no word of speech."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from registry import ComponentRegistry, Registration, Slot
from registry.errors import (
    AmbiguousComponent,
    DuplicateComponent,
    InvalidComponent,
    UnknownComponent,
)
from registry.text import suggestion


class Shape:
    slot = "shape"


class Round(Shape):
    component_name = "round"


class Square(Shape):
    component_name = "square"


class Ball:
    slot, component_name = "shape", "round"


SHAPE = Slot("shape", Shape)


def made_by(plugin: str, component: Any) -> Registration:
    return Registration(component, plugin, f"dist-{plugin}", "1.0")


def test_a_component_is_found_by_its_short_and_by_its_qualified_name() -> None:
    registry = ComponentRegistry([made_by("p", Round), made_by("p", Square)])
    assert registry.get(SHAPE, "round") is Round
    assert registry.get(SHAPE, "p/square") is Square
    found = registry.find("shape", "round")
    assert (found.qualified_name, found.distribution, found.version) == ("p/round", "dist-p", "1.0")
    assert registry.registration(Round) is found
    assert registry.registration(Ball) is None


def test_slots_and_names_are_sorted() -> None:
    registry = ComponentRegistry([made_by("p", Square), made_by("p", Round)])
    assert registry.slots() == ("shape",)
    assert registry.names("shape") == ("round", "square")
    assert registry.names("colour") == ()
    assert len(registry) == len(list(registry)) == 2


@pytest.mark.parametrize(
    ("slot", "name", "message"),
    [
        (
            "shape",
            "rond",
            r"`rond` is not a registered shape, did you mean `round`\? available: `r",
        ),
        ("shape", "zzz", r"`zzz` is not a registered shape; available: `round`\."),
        ("colour", "red", r"`red` is not a registered colour; available: none\."),
        ("shape", "q/round", r"`q/round` is not a registered shape"),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(
    slot: str, name: str, message: str
) -> None:
    with pytest.raises(UnknownComponent, match=message):
        ComponentRegistry([made_by("p", Round)]).find(slot, name)


def test_a_name_of_two_plugins_is_ambiguous_whatever_their_order() -> None:
    class Other(Shape):
        component_name = "round"

    for order in itertools.permutations(
        [made_by("p", Round), made_by("q", Other), made_by("p", Square)]
    ):
        registry = ComponentRegistry(order)
        with pytest.raises(AmbiguousComponent, match="write the qualified name") as caught:
            registry.get(SHAPE, "round")
        assert sorted(caught.value.owners) == [("dist-p 1.0", "p/round"), ("dist-q 1.0", "q/round")]
        assert registry.get(SHAPE, "p/round") is Round
        assert registry.get(SHAPE, "q/round") is Other
        assert registry.names("shape") == ("p/round", "q/round", "square")


def test_one_plugin_cannot_register_a_name_twice() -> None:
    with pytest.raises(DuplicateComponent, match="`p` registers the shape `round` twice"):
        ComponentRegistry([made_by("p", Round), made_by("p", Ball)])


def test_a_component_must_derive_from_the_slot_s_base() -> None:
    registry = ComponentRegistry([made_by("p", Ball)])
    with pytest.raises(
        InvalidComponent, match="`round` is registered as a shape but does not deriv"
    ):
        registry.get(SHAPE, "round")


@pytest.mark.parametrize("component", [Round(), "round", None, int, Shape])
def test_only_classes_with_a_slot_and_a_name_are_components(component: Any) -> None:
    with pytest.raises(InvalidComponent, match=r"`p` returned .* from `kokoro_components`"):
        made_by("p", component)


@pytest.mark.parametrize(
    ("name", "hint"), [("rond", ", did you mean `round`?"), ("xyz", ""), (7, "")]
)
def test_only_a_close_name_is_suggested(name: object, hint: str) -> None:
    assert suggestion(name, ["round", "square"]) == hint


def test_a_short_name_stays_with_the_built_in_component_whatever_the_order() -> None:
    class Other(Shape):
        component_name = "round"

    own = Registration(Round, "own", "kokoro-core", "1.0")
    for order in itertools.permutations([made_by("a", Other), own, made_by("z", Ball)]):
        registry = ComponentRegistry(order)
        assert registry.get(SHAPE, "round") is Round
        assert registry.find("shape", "a/round").component is Other
        assert registry.names("shape") == ("a/round", "round", "z/round")


def test_of_two_slots_of_one_name_each_has_the_components_of_its_own_base() -> None:
    class OtherShape:
        slot = "shape"

    class Blob(OtherShape):
        component_name = "round"

    registry = ComponentRegistry([made_by("p", Round), made_by("q", Blob)])
    assert registry.get(SHAPE, "round") is Round
    assert registry.get(Slot("shape", OtherShape), "round") is Blob
