"""Params classes: dispatch by registry, what a class says of itself, finding one's way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from kokoro_core.params.audio import AudioSettings
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import Path, Position, Problem, dotted
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.tree.walk import components_in, model_at, parse_path, value_at
from kokoro_core.spec.views.reference import description_of, fields_of, type_name
from tests.kokoro_core.spec.toys import (
    AMBIGUOUS,
    PLUGINS,
    RmsNorm,
    StackEncoder,
    TablePositions,
    WideEncoder,
    minimal,
)


def test_a_component_knows_its_slot_and_its_name() -> None:
    assert (WideEncoder.slot, WideEncoder.component_name) == ("encoder", "wide")
    assert (RmsNorm.slot, RmsNorm.component_name) == ("acme.norm", "rms")


def test_without_a_registry_only_instances_are_taken() -> None:
    assert StackEncoder(parts=(WideEncoder(),)).parts == (WideEncoder(),)
    with pytest.raises(
        ValidationError, match="a mapping needs `load_spec`; in Python pass an inst"
    ):
        StackEncoder.model_validate({"type": "stack", "parts": [{"type": "wide"}]})


def test_a_dump_has_the_fields_of_the_nested_component_s_own_class() -> None:
    stack = StackEncoder(parts=(WideEncoder(heads=2, norm=RmsNorm()),))
    dumped = stack.model_dump(mode="json")
    assert dumped["parts"][0]["heads"] == 2
    assert dumped["parts"][0]["norm"] == {"type": "rms", "eps": 1e-6}


def test_params_are_frozen_and_exact() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        WideEncoder().heads = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        WideEncoder(hads=3)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b_c.d", ("a", "b_c", "d")),
        ("a[0].b[12]", ("a", 0, "b", 12)),
        ("a-b.c d", ("a-b", "c d")),
        ("a.0", ("a", "0")),
    ],
)
def test_a_dotted_path_is_read_and_written(text: str, path: Path) -> None:
    assert parse_path(text) == path
    assert dotted(path) == text


@pytest.mark.parametrize("text", ["", ".", ".a", "a.", "a..b", "a[", "a[x]", "a]", "[0"])
def test_what_is_no_dotted_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a dotted path; write one such as"):
        parse_path(text)


def test_a_value_is_found_by_its_path() -> None:
    tree = {"a": [{"b": 1}], "c": None}
    assert value_at(tree, ("a", 0, "b")) == 1
    assert value_at(tree, ("a", "b")) == 1  # an ordered map, written as a list
    for path in (("a", 1), ("a", "c"), ("c", "d"), ("z",)):
        assert value_at(tree, path) is None


def test_the_model_behind_a_path_is_found_through_components_and_lists() -> None:
    document = minimal(encoder={"type": "stack", "parts": [{"type": "toys/wide"}]})

    def found(*path: str | int) -> Any:
        return model_at(ModelSpec, document, path, AMBIGUOUS.components)

    assert found() is ModelSpec
    assert found("encoder") is StackEncoder
    assert found("encoder", "parts", 0) is WideEncoder
    assert found("encoder", "parts", 7) is None
    assert found("encoder", "nothing") is None
    assert found("name", "x") is None


def test_components_are_walked_outer_ones_first() -> None:
    spec = load_spec(minimal(), plugins=PLUGINS)
    paths = [dotted(path) for path, _ in components_in(spec)]
    assert paths[:2] == ["encoder", "encoder.positional_encoding"]
    assert paths[2:] == ["duration_predictor", "regulator", "decoder"]


def test_fields_are_described_by_the_class_alone() -> None:
    fields = {each["name"]: each for each in fields_of(WideEncoder)}
    assert fields["heads"] == {
        "name": "heads",
        "type": "integer",
        "required": False,
        "default": 1,
        "constraints": "≥ 1, < 100",
        "description": "Must divide the width.",
    }
    assert fields["hidden_dim"]["type"] == "integer or null"
    assert fields["norm"]["type"] == "acme.norm or null"
    assert fields["kernels"]["type"] == "list of integer"
    assert fields["positional_encoding"]["default"] == {"type": "table", "max_len": 50}
    assert {each["name"] for each in fields_of(ModelSpec) if each["required"]} == {
        "encoder",
        "duration_predictor",
        "regulator",
        "decoder",
    }


def test_a_description_ends_where_the_sections_begin() -> None:
    assert description_of(WideEncoder) == "An encoder with a width of its own."
    assert description_of(TablePositions) == "A table of positions."


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int | None, "integer or null"),
        (Literal["a", 1], "'a' or 1"),
        (Mapping[str, float], "mapping of number"),
        (tuple[bool, ...], "list of true or false"),
        (AudioSettings, "mapping"),
        (type[int], "type[int]"),
    ],
)
def test_types_are_said_in_the_words_of_a_spec(annotation: Any, words: str) -> None:
    assert type_name(annotation) == words


def test_a_problem_reads_as_a_compiler_s() -> None:
    problem = Problem("unknown-field", "a.b", "unknown field", "m.yaml", Position(7, 5))
    assert str(problem) == "m.yaml:7:5: a.b: unknown field [unknown-field]"
    assert problem.as_dict() == {
        "code": "unknown-field",
        "path": "a.b",
        "message": "unknown field",
        "source": "m.yaml",
        "position": {"line": 7, "column": 5},
        "received": None,
        "expected": [],
    }


@pytest.mark.parametrize(
    "changes", [{"win_length": 2048}, {"fmin": 9000.0}, {"fmax": 12000.0}, {"fmax": 0.0}]
)
def test_audio_settings_that_no_mel_can_have_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AudioSettings(**changes)


def test_audio_settings_differ_in_what_a_vocoder_hears() -> None:
    assert AudioSettings().differences(AudioSettings(mean=0.0, std=1.0)) == []
    other = AudioSettings(hop_length=128, log="log10")
    assert AudioSettings().differences(other) == [
        "hop_length: 256 against 128",
        "log: ln against log10",
    ]


def test_params_from_settings_say_in_one_line_what_is_wrong() -> None:
    from kokoro_core.params.component import params_from
    from kokoro_plugins.speech.params import EspeakCorpusParams

    good = params_from(EspeakCorpusParams, {"path": "here", "sentences": 3})
    assert good.sentences == 3
    with pytest.raises(ValueError, match=r"`sentences`: .*not 0; `seed`: .*not -1") as caught:
        params_from(EspeakCorpusParams, {"path": "here", "sentences": 0, "seed": -1})
    assert "\n" not in str(caught.value)
