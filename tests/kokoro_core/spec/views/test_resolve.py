"""A resolved spec says everything and reads back equal."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_core.cli.output import write_yaml
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.text.parse import parse
from kokoro_core.spec.views.resolve import resolve
from registry.errors import UnknownComponent
from tests.kokoro_core.spec.toys import AMBIGUOUS, PLUGINS, WideEncoder, minimal

SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "name": st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=9
    ),
    "hidden_dim": st.sampled_from([4, 8, 12]),
    "mel_dim": st.integers(1, 99),
    "loss.stop": st.floats(0, 1e300),
    "gradient_checkpointing": st.none() | st.fixed_dictionaries({"segments": st.integers(1, 9)}),
    "plugins": st.sampled_from([{}, {"acme-toys": ">=1"}]),
    "encoder.heads": st.sampled_from([1, 2, 4]),
    "encoder.kernels": st.lists(st.integers(-5, 5), max_size=4),
    "encoder.norm": st.none()
    | st.sampled_from([{"type": "rms"}, {"type": "toys/rms", "eps": 0.5}]),
    "encoder.positional_encoding.max_len": st.integers(14, 99),
    "postnet": st.none() | st.just({"type": "bare"}),
    "regulator": st.sampled_from([{"type": "copy"}, {"type": "mix"}]),
}
OVERRIDES = st.fixed_dictionaries({}, optional=SETTINGS)


@settings(deadline=None)
@given(OVERRIDES)
@example({"name": "1e3", "encoder.kernels": []})
@example({"name": "no", "loss.stop": 1e-05})
def test_a_resolved_spec_reads_back_as_the_same_spec(overrides: dict[str, Any]) -> None:
    spec = load_spec(minimal(), overrides=overrides, plugins=PLUGINS)
    resolved = json.loads(json.dumps(resolve(spec, PLUGINS)["spec"]))
    assert load_spec(resolved, plugins=PLUGINS) == spec
    again = load_spec(resolved, plugins=PLUGINS)
    assert resolve(again, PLUGINS)["spec"] == resolved


@settings(deadline=None, max_examples=40)
@given(OVERRIDES)
@example({"name": "null"})
@example({"name": "?0: - #"})
def test_the_yaml_of_a_resolved_spec_means_the_same(overrides: dict[str, Any]) -> None:
    spec = load_spec(minimal(), overrides=overrides, plugins=PLUGINS)
    resolved = resolve(spec, PLUGINS)["spec"]
    stream = io.StringIO()
    write_yaml(resolved, stream)
    document = parse(stream.getvalue())
    assert document.problems == ()
    assert document.value == resolved


def test_every_default_and_inherited_width_is_written_with_qualified_names() -> None:
    resolved = resolve(load_spec(minimal(), plugins=PLUGINS), PLUGINS)["spec"]
    assert resolved["encoder"] == {
        "type": "toys/wide",
        "hidden_dim": 8,
        "heads": 1,
        "mode": "pre",
        "dropout": 0.1,
        "kernels": [3, 3],
        "norm": None,
        "positional_encoding": {"type": "toys/table", "max_len": 50},
    }
    assert resolved["decoder"] == {"type": "toys/rows", "hidden_dim": 8, "mel_dim": 80}
    assert resolved["audio"] is None
    assert resolved["loss"]["stop_positive_weight"] == 10.0


def test_the_origin_of_every_component_is_listed_nested_ones_too() -> None:
    stack = {"type": "stack", "parts": [{"type": "toys/wide", "norm": {"type": "rms"}}]}
    spec = load_spec(minimal(encoder=stack), plugins=AMBIGUOUS)
    components = resolve(spec, AMBIGUOUS)["components"]
    assert [(each["path"], each["slot"], each["name"]) for each in components] == [
        ("encoder", "encoder", "toys/stack"),
        ("encoder.parts[0]", "encoder", "toys/wide"),
        ("encoder.parts[0].norm", "acme.norm", "toys/rms"),
        ("encoder.parts[0].positional_encoding", "positional_encoding", "toys/table"),
        ("duration_predictor", "duration_predictor", "toys/line"),
        ("regulator", "regulator", "toys/copy"),
        ("decoder", "decoder", "toys/rows"),
    ]
    assert {(each["distribution"], each["version"]) for each in components} == {
        ("acme-toys", "1.3.0")
    }


def test_a_component_of_no_plugin_cannot_be_resolved() -> None:
    class Own(WideEncoder):
        """Of nobody."""

    spec = load_spec(minimal(encoder=Own()), plugins=PLUGINS)
    with pytest.raises(UnknownComponent, match="`Own` is not a registered encoder"):
        resolve(spec, PLUGINS)
