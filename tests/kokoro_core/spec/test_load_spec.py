"""`load_spec`: where a spec comes from, what its problems say, and overrides."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import Position, Problem, SpecError
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry import NamedSpec, PluginRecord, Plugins
from registry.errors import AmbiguousName, UnknownNamedSpec
from tests.kokoro_core.spec.toys import (
    AMBIGUOUS,
    BROKEN,
    LOADED,
    PLUGINS,
    OtherWide,
    WideEncoder,
    minimal,
    plugins_with,
)

GOOD = """\
hidden_dim: 8
encoder:
  type: wide
  heads: 2
duration_predictor: {type: line}
regulator: {type: copy}
decoder: {type: rows}
"""


def problems_of(source: Any, plugins: Plugins = PLUGINS, **kwargs: Any) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        load_spec(source, plugins=plugins, **kwargs)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return list(caught.value.problems)


def write(folder: Path, text: str, name: str = "model.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def codes(problems: list[Problem]) -> dict[str, str]:
    return {each.path: each.code for each in problems}


# where a spec comes from


def test_a_path_a_name_a_mapping_json_and_a_model_spec_give_the_same_spec(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    plugins = Plugins(
        PLUGINS.records, PLUGINS.components, {"good": NamedSpec("good", file, "toys")}
    )
    mapping = minimal(encoder={"type": "wide", "heads": 2})
    as_json = write(tmp_path, json.dumps(mapping), "model.json")
    expected = load_spec(mapping, plugins=plugins)
    assert expected.encoder == WideEncoder(heads=2, hidden_dim=8)
    for source in (file, str(file), as_json, "good", expected):
        assert load_spec(source, plugins=plugins) == expected


def test_a_mapping_may_hold_components_made_in_python() -> None:
    spec = load_spec(minimal(encoder=WideEncoder(heads=4)), plugins=PLUGINS)
    assert spec.encoder == WideEncoder(heads=4, hidden_dim=8)


def test_a_word_that_is_a_file_is_a_path_and_any_other_word_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, GOOD, "model")
    monkeypatch.chdir(tmp_path)
    assert load_spec("model", plugins=PLUGINS).hidden_dim == 8
    with pytest.raises(UnknownNamedSpec, match="`modle` is not a named spec"):
        load_spec("modle", plugins=PLUGINS)


def test_specs_of_one_name_are_reached_by_their_qualified_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {plugin: write(tmp_path, GOOD + f"name: {plugin}\n", plugin) for plugin in ("a", "b")}
    named = {f"{each}/model": NamedSpec("model", files[each], each) for each in files}
    plugins = Plugins(PLUGINS.records, PLUGINS.components, named)
    with pytest.raises(AmbiguousName, match=r"qualified name: `a/model` and `b/model`\."):
        load_spec("model", plugins=plugins)
    assert [load_spec(name, plugins=plugins).name for name in named] == ["a", "b"]
    with pytest.raises(FileNotFoundError, match="There is no spec file `c/model`"):
        load_spec("c/model", plugins=plugins)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "model").write_text(GOOD + "name: of-a-file\n")
    (tmp_path / "a").unlink()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "model").write_text(GOOD + "name: of-a-file\n")
    for file in ("c/model", "a/model"):
        assert load_spec(file, plugins=plugins).name == "of-a-file"


@pytest.mark.parametrize("source", ["none.yaml", "none.YML", "none.json", f"none{os.sep}x"])
def test_a_path_that_leads_nowhere_is_said_to(source: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no spec file `none"):
        load_spec(source, plugins=PLUGINS)


def test_a_directory_is_not_a_spec(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="is a directory; give the spec file in it"):
        load_spec(tmp_path, plugins=PLUGINS)


def test_an_unknown_name_is_answered_with_a_close_one(tmp_path: Path) -> None:
    named = {"small": NamedSpec("small", write(tmp_path, GOOD), "toys")}
    with pytest.raises(UnknownNamedSpec, match=r"did you mean `small`\? available: `small`"):
        load_spec("smal", plugins=Plugins(PLUGINS.records, PLUGINS.components, named))


@pytest.mark.parametrize("text", ["", "- 1", "just words", "3"])
def test_a_spec_that_is_no_mapping_is_one_problem(tmp_path: Path, text: str) -> None:
    [problem] = problems_of(write(tmp_path, text))
    assert problem.code == "wrong-type"
    assert "a spec is a mapping" in problem.message


# problems of fields


def test_all_problems_are_found_in_one_pass_each_at_its_line_and_column(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """\
hiden_dim: 8
hidden_dim: 12
vocab_size: true
pad_id: -1
encoder:
  type: wide
  hads: 4
  mode: por
  dropout: 1
  kernels: [3, x]
  positional_encoding:
    type: tabel
duration_predictor: {type: line, hidden_dim: 4.0}
regulator: copy
decoder: {type: rows}
loss: {mel_l1: -1}
gradient_checkpointing: 4
name: ""
name: twice
""",
    )
    found = problems_of(path)
    assert [(each.path, each.code, each.position) for each in found] == [
        ("hiden_dim", "unknown-field", Position(1, 1)),
        ("vocab_size", "wrong-type", Position(3, 13)),
        ("pad_id", "out-of-range", Position(4, 9)),
        ("encoder.hads", "unknown-field", Position(7, 3)),
        ("encoder.mode", "wrong-value", Position(8, 9)),
        ("encoder.dropout", "out-of-range", Position(9, 12)),
        ("encoder.kernels[1]", "wrong-type", Position(10, 16)),
        ("encoder.positional_encoding.type", "unknown-type", Position(12, 11)),
        ("duration_predictor.hidden_dim", "wrong-type", Position(13, 46)),
        ("regulator", "not-a-component", Position(14, 12)),
        ("loss.mel_l1", "out-of-range", Position(16, 16)),
        ("gradient_checkpointing", "wrong-type", Position(17, 25)),
        ("name", "duplicate-key", Position(19, 1)),
    ]
    assert all(each.source == str(path) for each in found)


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"encodr": 1}, "encodr", "unknown field, did you mean 'encoder'?"),
        ({"encoder": {"type": "wide", "zzz": 1}}, "encoder.zzz", "unknown field; known: type, hid"),
        ({"vocab_size": "9"}, "vocab_size", 'expected an integer, got "9"'),
        ({"vocab_size": 9.0}, "vocab_size", "expected an integer, got 9.0"),
        ({"vocab_size": None}, "vocab_size", "expected an integer, got null"),
        ({"name": 3}, "name", "expected a string, got 3"),
        ({"name": ""}, "name", 'must not be empty, got ""'),
        ({"format": 2}, "format", "expected 1, got 2"),
        ({"mel_dim": 0}, "mel_dim", "must be at least 1, got 0"),
        (
            {"encoder": {"type": "wide", "heads": 100}},
            "encoder.heads",
            "must be below 100, got 100",
        ),
        ({"encoder": {"type": "wide", "mode": "prr"}}, "encoder.mode", "did you mean 'pre'?"),
        ({"encoder": {"type": "wide", "dropout": True}}, "encoder.dropout", "a number, got true"),
        ({"encoder": {"type": "wide", "kernels": 3}}, "encoder.kernels", "a list, got 3"),
        (
            {"encoder": {"type": "wid"}},
            "encoder.type",
            "did you mean `wide`? available: stack, wide",
        ),
        ({"encoder": {"type": ["wide"]}}, "encoder.type", "no encoder is named ['wide']"),
        ({"encoder": {"type": None}}, "encoder.type", "no encoder is named None"),
        ({"encoder": {}}, "encoder", "the encoder needs the key 'type'; available: stack, wide"),
        ({"encoder": "wide"}, "encoder", "for example {type: wide}"),
        ({"encoder": None}, "encoder", "expected a mapping with the key 'type'"),
        ({"loss": {"stop": float("nan")}}, "loss.stop", "must be a finite number, got NaN"),
        ({"loss": {"stop": float("inf")}}, "loss.stop", "must be a finite number, got Infinity"),
        ({"audio": {"win_length": 2048}}, "audio", "win_length 2048 is larger than n_fft 1024"),
        ({"plugins": [1]}, "plugins", "expected a mapping, got [1]"),
        ({"plugins": {"a": 1}}, "plugins.a", "expected a string, got 1"),
        ({"name": ["x" * 99]}, "name", "…"),
    ],
)
def test_a_message_says_what_was_received_and_what_would_work(
    change: dict[str, Any], path: str, message: str
) -> None:
    [problem] = problems_of(minimal(**change))
    assert problem.path == path
    assert message in problem.message
    assert len(problem.message) < 200


def test_a_missing_key_points_at_its_parent(tmp_path: Path) -> None:
    path = write(tmp_path, "name: x\nencoder:\n  type: wide\nregulator: {type: copy}\n")
    found = problems_of(path)
    assert codes(found) == {"duration_predictor": "missing", "decoder": "missing"}
    assert {each.position for each in found} == {Position(1, 1)}
    assert "write null to leave it out" in found[0].message
    assert "null" not in found[1].message


def test_a_type_that_is_missing_points_at_its_component(tmp_path: Path) -> None:
    [problem] = problems_of(write(tmp_path, GOOD.replace("  type: wide\n", "")))
    assert (problem.code, problem.position) == ("no-type", Position(3, 3))


def test_problems_in_nested_components_and_third_party_slots_have_their_paths() -> None:
    stack: dict[str, Any] = {
        "type": "stack",
        "parts": [{"type": "wide"}, {"type": "wide", "norm": {"type": "rms"}}],
    }
    assert load_spec(minimal(encoder=stack), plugins=PLUGINS).hidden_dim == 8
    stack["parts"][1]["norm"] = {"type": "rms", "eps": 0}
    stack["parts"][0]["norm"] = {"type": "rmz"}
    assert codes(problems_of(minimal(encoder=stack))) == {
        "encoder.parts[0].norm.type": "unknown-type",
        "encoder.parts[1].norm.eps": "out-of-range",
    }


def test_a_name_of_two_plugins_is_refused_naming_both_and_the_qualified_one_works() -> None:
    [problem] = problems_of(minimal(), AMBIGUOUS)
    assert problem.code == "ambiguous-type"
    for part in ("acme-toys 1.3.0", "acme-other 2.0", "toys/wide", "other/wide"):
        assert part in problem.message
    qualified = minimal(encoder={"type": "other/wide"})
    assert load_spec(qualified, plugins=AMBIGUOUS).encoder == OtherWide()


def test_an_unknown_type_names_the_broken_plugin_that_may_have_brought_it() -> None:
    plugins = plugins_with(records=(LOADED, BROKEN))
    for name in ("cracked/deep", "deep"):
        [problem] = problems_of(minimal(encoder={"type": name}), plugins)
        assert "the plugin 'cracked' is broken (ImportError: no y)" in problem.message
    [problem] = problems_of(minimal(encoder={"type": "toys/deep"}), plugins)
    assert "cracked" not in problem.message


def test_a_problem_in_the_text_silences_what_follows_from_it(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("heads: 2", "heads: .nan"))
    assert [each.code for each in problems_of(path)] == ["not-finite"]


# the section `plugins`


@pytest.mark.parametrize("needs", [{"acme-toys": ">=1.2,<2"}, {"Acme.Toys": ""}, {}])
def test_needs_that_are_met_change_nothing(needs: dict[str, str]) -> None:
    assert load_spec(minimal(plugins=needs), plugins=PLUGINS).plugins == needs


@pytest.mark.parametrize(
    ("needs", "code", "message"),
    [
        ({"acme-toys": ">=2"}, "plugin-version", "needs 'acme-toys' >=2 but 1.3.0 is installed"),
        ({"absent": ">=1"}, "plugin-missing", "python -m pip install 'absent>=1'"),
        ({"absent": "===1'x"}, "plugin-missing", """install 'absent===1'"'"'x'"""),
        ({"x'; touch y; '": ">=1"}, "wrong-value", "is not the name of a distribution"),
        ({"--index-url=http://evil x": ""}, "wrong-value", "is not the name of a distribution"),
        ({"acme-toys": "new"}, "wrong-value", "'new' is no range of versions"),
        ({"acme-cracked": ">=0"}, "plugin-broken", "is broken (ImportError: no y)"),
        (
            {"acme-shut": ""},
            "plugin-blocked",
            "is blocked (`shut` is on the block list): Leave out --no-plugin",
        ),
    ],
)
def test_needs_that_are_not_met_are_problems(
    needs: dict[str, str], code: str, message: str
) -> None:
    shut = PluginRecord(
        "shut",
        "x",
        "acme-shut",
        "1",
        "blocked",
        "`shut` is on the block list",
        remedy="Leave out --no-plugin.",
    )
    [problem] = problems_of(minimal(plugins=needs), plugins_with(records=(LOADED, BROKEN, shut)))
    assert (problem.code, problem.path) == (code, f"plugins.{next(iter(needs))}")
    assert message in problem.message


# any spec


KEYS = st.sampled_from(
    [
        "format",
        "encoder",
        "decoder",
        "type",
        "heads",
        "norm",
        "parts",
        "plugins",
        "audio",
        "x",
        "loss",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 200)
    | st.floats()
    | st.sampled_from(["wide", "stack", "rows", "toys/wide", "", "/", "pre"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(KEYS, VALUES), st.booleans())
def test_any_mapping_gives_a_spec_or_problems(changes: dict[str, Any], on_minimal: bool) -> None:
    result = spec_or_problems(minimal(**changes) if on_minimal else changes)
    assert isinstance(result, ModelSpec) or all(each.message and each.code for each in result)


def spec_or_problems(source: dict[str, Any]) -> ModelSpec | tuple[Problem, ...]:
    try:
        return load_spec(source, plugins=PLUGINS)
    except SpecError as error:
        return error.problems


def test_a_mapping_with_keys_that_are_no_strings_is_refused() -> None:
    found = problems_of({**minimal(), 3: 4})
    assert [each.path for each in found] == ["[3]"]
