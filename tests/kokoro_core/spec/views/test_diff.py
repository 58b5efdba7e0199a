"""The difference of two specs is one of meaning."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings

from kokoro_core.spec.load import load_spec
from kokoro_core.spec.views.diff import Change, diff_specs
from kokoro_core.spec.views.resolve import resolve, spec_hash
from tests.kokoro_core.spec.toys import PLUGINS, minimal
from tests.kokoro_core.spec.views.test_resolve import OVERRIDES


def diff(first: dict[str, Any], second: dict[str, Any]) -> list[Change]:
    old, new = (load_spec(each, plugins=PLUGINS) for each in (first, second))
    return diff_specs(old, new, PLUGINS)


def test_defaults_order_widths_and_qualified_names_are_no_difference() -> None:
    written_out = resolve(load_spec(minimal(), plugins=PLUGINS), PLUGINS)["spec"]
    assert diff(minimal(), dict(reversed(written_out.items()))) == []


def test_a_value_a_list_and_an_inherited_width_are_changes() -> None:
    first = minimal(encoder={"type": "wide", "kernels": [1, 2]})
    second = minimal(hidden_dim=4, encoder={"type": "wide", "kernels": [1, 2, 3], "heads": 2})
    assert diff(first, second) == [
        Change("hidden_dim", "value", 8, 4),
        Change("encoder.hidden_dim", "value", 8, 4),
        Change("encoder.heads", "value", 1, 2),
        Change("encoder.kernels", "value", [1, 2], [1, 2, 3]),
        Change("duration_predictor.hidden_dim", "value", 8, 4),
        Change("decoder.hidden_dim", "value", 8, 4),
    ]


def test_another_component_is_one_change_whatever_its_settings() -> None:
    first = minimal(encoder={"type": "wide", "heads": 4})
    assert diff(first, minimal(encoder={"type": "stack"})) == [
        Change("encoder", "component", "toys/wide", "toys/stack")
    ]
    assert diff(minimal(), minimal(postnet={"type": "bare"})) == [
        Change("postnet", "component", None, "toys/bare")
    ]


def test_keys_of_a_mapping_come_and_go() -> None:
    first, second = minimal(plugins={"acme-toys": ">=1"}), minimal(plugins={})
    assert diff(first, second) == [Change("plugins.acme-toys", "removed", ">=1", None)]
    assert diff(second, first) == [Change("plugins.acme-toys", "added", None, ">=1")]


def test_components_in_lists_are_compared_one_by_one() -> None:
    def stack(*parts: dict[str, Any]) -> dict[str, Any]:
        return minimal(encoder={"type": "stack", "parts": list(parts)})

    wide = {"type": "wide"}
    assert diff(stack(wide, wide), stack(wide, {**wide, "heads": 2})) == [
        Change("encoder.parts[1].heads", "value", 1, 2)
    ]
    assert diff(stack(wide), stack({"type": "stack"})) == [
        Change("encoder.parts[0]", "component", "toys/wide", "toys/stack")
    ]
    (longer,) = diff(stack(wide), stack(wide, wide))
    assert (longer.path, longer.kind, len(longer.new)) == ("encoder.parts", "value", 2)


@settings(deadline=None)
@given(OVERRIDES, OVERRIDES)
@example({}, {"plugins": {"acme-toys": ">=1"}})
@example({"loss.stop": 0.0}, {"loss.stop": -0.0})
def test_there_is_a_difference_exactly_if_the_hashes_differ(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    old, new = (load_spec(minimal(), overrides=each, plugins=PLUGINS) for each in (first, second))
    changes = [each for each in diff_specs(old, new, PLUGINS) if each.path != "plugins.acme-toys"]
    assert bool(changes) == (spec_hash(old, PLUGINS) != spec_hash(new, PLUGINS))
    back = {(each.path, repr(each.new), repr(each.old)) for each in diff_specs(new, old, PLUGINS)}
    there = {(each.path, repr(each.old), repr(each.new)) for each in diff_specs(old, new, PLUGINS)}
    assert back == there


def test_a_change_is_values_that_json_has() -> None:
    assert Change("a", "value", 1, None).as_dict() == {
        "path": "a",
        "kind": "value",
        "old": 1,
        "new": None,
    }
