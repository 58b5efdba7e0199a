"""The JSON Schema agrees with our own verdict on every field, by an independent validator."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import Field

from kokoro_core.slots import EncoderParams
from kokoro_core.spec.check import check
from kokoro_core.spec.load import read_document
from kokoro_core.spec.problems.problem import Problem, SpecError
from kokoro_core.spec.text.document import from_mapping
from kokoro_core.spec.views.resolve import resolve
from kokoro_core.spec.views.schema import schema
from registry import Plugins, Registration, installed_plugins
from tests.kokoro_core.spec.toys import AMBIGUOUS, PLUGINS, Unbuildable, minimal, plugins_with
from tests.kokoro_core.spec.views.test_resolve import OVERRIDES

BETWEEN_FIELDS = {
    "inconsistent",
    "width-mismatch",
    "half-regulated",
    "unmet-input",
    "unmet-need",
    "no-stop-head",
    "not-offsetable",
}
"""Codes of problems that no schema can see."""

SCHEMAS = {name: schema(each) for name, each in (("toys", PLUGINS), ("two", AMBIGUOUS))}


def errors_of(value: Any, made: dict[str, Any]) -> list[str]:
    found = Draft202012Validator(made).iter_errors(value)
    return [f"{each.json_path}: {each.message}" for each in found]


def field_problems(value: Any, plugins: Plugins) -> list[str]:
    try:
        check(from_mapping(value), plugins)
    except SpecError as error:
        return [str(each) for each in error.problems if not is_beyond_a_schema(each)]
    return []


def is_beyond_a_schema(problem: Problem) -> bool:
    """Return whether a problem lies between fields, or in what is installed."""
    past_the_vocabulary = problem.path == "pad_id" and "phoneme indices" in problem.message
    is_need = problem.path.startswith("plugins.") and not problem.message.startswith("expected")
    return problem.code in BETWEEN_FIELDS or past_the_vocabulary or is_need


@pytest.fixture(scope="module")
def installed() -> dict[str, Any]:
    return schema(installed_plugins())


def test_the_schema_is_one_by_its_own_standard(installed: dict[str, Any]) -> None:
    for made in (installed, *SCHEMAS.values(), schema(Plugins())):
        Draft202012Validator.check_schema(made)
    assert installed["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_shipped_spec_is_valid_as_written_and_resolved(installed: dict[str, Any]) -> None:
    plugins = installed_plugins()
    assert len(plugins.specs) >= 6
    for name in plugins.specs:
        document = read_document(name, plugins)
        assert errors_of(document.value, installed) == []
        full = resolve(check(document, plugins), plugins)["spec"]
        assert errors_of(full, installed) == []


def set_at(value: Any, path: str, new: Any) -> None:
    *outer, last = path.split(".")
    for key in outer:
        value = value.setdefault(key, {"type": "table"})
    value[last] = new


@settings(deadline=None, max_examples=60)
@given(OVERRIDES)
def test_specs_that_we_accept_are_valid(changes: dict[str, Any]) -> None:
    value = minimal()
    for path, new in changes.items():
        if path.startswith(("loss.", "encoder.positional")):
            set_at(value, path, new) if "loss" not in path else value.update(loss={"stop": new})
        else:
            set_at(value, path, new)
    assert field_problems(value, PLUGINS) == []
    assert errors_of(value, SCHEMAS["toys"]) == []


FULL = resolve(
    check(from_mapping(minimal(encoder={"type": "wide", "norm": {"type": "rms"}})), PLUGINS),
    PLUGINS,
)["spec"]


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*path, key)
            yield from paths(each, (*path, key))


PATHS = st.sampled_from(sorted(paths(FULL), key=str))
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 120),
    st.floats(-2, 200, allow_nan=False).filter(lambda x: not x.is_integer()),
    st.sampled_from(["", "pre", "x", "wide", "toys/wide", "other/wide", "rms", "4", "1.0"]),
    st.sampled_from([[], [1], ["a"], [1.5], {}, {"type": "wide"}, {"type": 3}, {"segments": 0}]),
    st.sampled_from([{"type": "table", "max_len": 0}, {"type": "rms", "eps": 0}, {"a": "b"}]),
)


@settings(deadline=None, max_examples=200)
@given(PATHS, WRONG, st.sampled_from(["set", "drop", "add"]))
@example(("encoder", "type"), "nonesuch", "set")
@example(("encoder", "type"), None, "drop")
@example(("encoder", "norm", "eps"), 0, "set")
@example(("encoder", "norm", "eps"), True, "set")
@example(("encoder",), [], "set")
@example(("format",), 2, "set")
@example(("format",), True, "set")
@example(("regulator",), None, "drop")
@example(("postnet",), {"type": "wide"}, "set")
@example(("plugins",), {"type": "wide"}, "set")
@example(("plugins",), {"type": 3}, "set")
@example(("pad_id",), 70, "set")
def test_schema_and_check_agree_on_changed_specs(
    path: tuple[str | int, ...], new: Any, how: str
) -> None:
    value = copy.deepcopy(FULL)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    if how == "drop":
        del inner[path[-1]]
    else:
        inner[path[-1] if how == "set" else f"{path[-1]}x"] = new
    for name, plugins in (("toys", PLUGINS), ("two", AMBIGUOUS)):
        ours, theirs = field_problems(value, plugins), errors_of(value, SCHEMAS[name])
        assert bool(ours) == bool(theirs), (ours, theirs)


def test_a_whole_number_with_a_point_is_where_the_two_differ() -> None:
    value = minimal(hidden_dim=8.0)
    assert errors_of(value, SCHEMAS["toys"]) == []
    assert "expected an integer" in field_problems(value, PLUGINS)[0]


def test_an_error_names_the_setting_and_not_the_alternatives() -> None:
    value = minimal(encoder={"type": "wide", "norm": {"type": "rms", "eps": -1}, "head": 2})
    assert sorted(errors_of(value, SCHEMAS["toys"])) == [
        "$.encoder.norm.eps: -1 is less than or equal to the minimum of 0",
        "$.encoder: Additional properties are not allowed ('head' was unexpected)",
    ]
    assert errors_of(minimal(encoder={"heads": 2}), SCHEMAS["toys"]) == [
        "$.encoder: 'type' is a required property"
    ]


def test_names_descriptions_and_defaults_are_in_it() -> None:
    definitions = SCHEMAS["toys"]["$defs"]
    wide = definitions["encoder.toys.wide"]
    assert wide["description"] == "An encoder with a width of its own."
    assert wide["properties"]["heads"] == {
        "default": 1,
        "description": "Must divide the width.",
        "exclusiveMaximum": 100,
        "minimum": 1,
        "type": "integer",
    }
    assert wide["properties"]["type"]["enum"] == ["wide", "toys/wide"]
    assert wide["properties"]["positional_encoding"]["default"] == {"type": "table", "max_len": 50}
    assert definitions["slot.encoder"]["properties"]["type"]["enum"] == [
        "stack",
        "wide",
        "toys/stack",
        "toys/wide",
    ]
    assert (
        definitions["slot.encoder"]["description"] == "Turns phoneme indices into hidden vectors."
    )


def test_a_slot_that_a_plugin_opens_is_in_it_and_one_that_no_spec_reaches_is_not(
    installed: dict[str, Any],
) -> None:
    assert SCHEMAS["toys"]["$defs"]["slot.acme.norm"]["properties"]["type"]["enum"] == [
        "rms",
        "toys/rms",
    ]
    assert not [key for key in installed["$defs"] if key.startswith(("checkpointer", "profiler"))]


def test_a_name_of_two_plugins_is_only_allowed_in_its_qualified_form() -> None:
    names = SCHEMAS["two"]["$defs"]["slot.encoder"]["properties"]["type"]["enum"]
    assert names == ["stack", "other/wide", "toys/stack", "toys/wide"]


class Peculiar:
    """A type that JSON Schema has no words for."""


class PeculiarEncoder(Unbuildable, EncoderParams, arbitrary_types_allowed=True):
    """An encoder with a setting of its own kind."""

    type: Any = Field("peculiar")
    what: Peculiar | None = None


PeculiarEncoder.component_name = "peculiar"


class RaisingEncoder(Unbuildable, EncoderParams):
    """An encoder that fails when it is asked what its settings are."""

    type: Literal["raising"] = "raising"

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        raise KeyError


def test_a_component_that_raises_when_it_is_described_harms_no_other() -> None:
    made = schema(plugins_with(Registration(RaisingEncoder, "odd", "acme-odd", "0.1")))
    found = made["$defs"]["encoder.odd.raising"]
    assert found["description"].endswith("Settings not described: KeyError")
    assert errors_of(minimal(encoder={"type": "wide", "heads": 0}), made) != []


def test_a_component_without_a_schema_is_named_and_harms_no_other() -> None:
    plugins = plugins_with(Registration(PeculiarEncoder, "odd", "acme-odd", "0.1"))
    made = schema(plugins)
    found = made["$defs"]["encoder.odd.peculiar"]
    assert "Settings not described: Cannot generate a JsonSchema" in found["description"]
    assert errors_of(minimal(encoder={"type": "peculiar", "what": None}), made) == []
    assert errors_of(minimal(encoder={"type": "wide", "heads": 0}), made) != []
