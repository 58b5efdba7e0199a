"""Old specs become new ones that mean the same, comments and way of writing kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_core.api import KokoroModel
from kokoro_core.checkpoints.store import checkpointer_for
from kokoro_core.spec.check import check
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError
from kokoro_core.spec.text.document import from_mapping
from kokoro_core.spec.text.migrations import is_format_0, migrate
from kokoro_core.spec.text.parse import parse
from kokoro_core.spec.text.upgrade import upgrade_text
from registry import Migration, Plugins, installed_plugins
from tests.kokoro_core.spec.toys import AMBIGUOUS, PLUGINS, minimal

OLD = """\
# My first voice.
# Trained in spring.

vocab_size: 63   # english
n_encoder_layers: 4  # four are enough
n_decoder_layers: 0x2
# heads of both
n_heads: 4

hidden_dim: 64
encoder_ff_dim: 128
gradient_checkpointing: true
checkpoint_segments: 2  # two of them
name: "a # b"   # quoted
# the end
"""

NEW = """\
# My first voice.
# Trained in spring.

format: 1
name: "a # b"  # quoted
vocab_size: 63  # english

hidden_dim: 64
encoder:
  type: transformer
  norm: pre
  num_layers: 4  # four are enough
  # heads of both
  num_heads: 4

  ff_dim: 128
  dropout: 0.1
  positional_encoding: {type: sinusoidal, max_len: 5000}
duration_predictor:
  type: mlp
  dropout: 0.1
regulator:
  type: repeat
decoder:
  type: transformer
  norm: pre
  num_layers: 0x2
  num_heads: 4
  ff_dim: 2048
  dropout: 0.1
  positional_encoding: {type: sinusoidal, max_len: 5000}
gradient_checkpointing:
  segments: 2  # two of them
# the end
"""


def test_a_file_of_format_0_is_rewritten_with_its_comments() -> None:
    upgraded = upgrade_text(OLD, "old.yaml", installed_plugins())
    assert upgraded.text == NEW
    assert upgraded.steps == ("format 0 -> 1: the keywords of the model became components",)
    assert upgrade_text(upgraded.text, "new.yaml", installed_plugins()).steps == ()


KEYWORDS = st.fixed_dictionaries(
    {},
    optional={
        "vocab_size": st.integers(2, 99),
        "mel_dim": st.integers(1, 99),
        "hidden_dim": st.sampled_from([16, 32]),
        "n_encoder_layers": st.integers(1, 3),
        "n_decoder_layers": st.integers(1, 3),
        "n_heads": st.sampled_from([1, 2, 8]),
        "encoder_ff_dim": st.integers(1, 40),
        "decoder_ff_dim": st.integers(1, 40),
        "dropout": st.sampled_from([0.0, 0.25]),
        "max_len": st.integers(1, 60),
        "gradient_checkpointing": st.booleans(),
        "checkpoint_segments": st.integers(1, 5),
    },
)
SMALL = {"hidden_dim": 16, "n_encoder_layers": 1, "n_decoder_layers": 1}


@settings(deadline=None, max_examples=12)
@given(KEYWORDS)
@example({"gradient_checkpointing": False, "checkpoint_segments": 3})
@example({"gradient_checkpointing": True, "checkpoint_segments": 3})
def test_an_upgraded_spec_is_the_model_of_the_keywords(keywords: dict[str, Any]) -> None:
    keywords = {**SMALL, **keywords}
    expected = KokoroModel(**keywords).spec
    spec = load_spec(migrate({"format": 0, **keywords}, installed_plugins()).value)
    outside = {"name": "model", "audio": None, "frontend": None, "vocoder": None}
    assert spec == expected.model_copy(update=outside)


@settings(deadline=None)
@given(KEYWORDS.filter(bool), st.randoms(use_true_random=False))
def test_every_comment_stays_in_the_file(keywords: dict[str, Any], random: Any) -> None:
    lines = []
    for number, (key, value) in enumerate(keywords.items()):
        lines += [f"# above {number}"] if random.random() < 0.5 else []
        lines.append(f"{key}: {json.dumps(value)}  # behind {number}")
    text = "format: 0\n" + "\n".join(lines) + "\n# last"
    upgraded = upgrade_text(text, "old.yaml", installed_plugins()).text
    assert sorted(re.findall("# .*", upgraded)) == sorted(re.findall("# .*", text))
    assert parse(upgraded).value == migrate(parse(text).value, installed_plugins()).value


def test_a_json_file_stays_json() -> None:
    text = json.dumps({"format": 0, "hidden_dim": 16, "n_heads": 2})
    upgraded = upgrade_text(text, "old.json", installed_plugins()).text
    assert json.loads(upgraded) == migrate(json.loads(text), installed_plugins()).value


def test_what_format_0_does_not_know_is_left_for_the_check() -> None:
    value = migrate({"n_heads": 2, "n_head": 4, "gradient_checkpointing": {"a": 1}}, PLUGINS).value
    assert value["n_head"] == 4
    assert value["gradient_checkpointing"] == {"a": 1}
    with pytest.raises(SpecError, match=r"n_head: unknown field[\s\S]*\[unknown-field\]"):
        load_spec(value)


@pytest.mark.parametrize(
    ("value", "old"),
    [
        ({"format": 0}, True),
        ({"n_heads": 8}, True),
        ({"format": 1, "n_heads": 8}, False),
        ({"format": False}, False),
        ({"n_heads": 8, "encoder": {}}, False),
        ({"hidden_dim": 8}, False),
        ({"dropout": 0.1}, False),
        ({}, False),
        ([], False),
    ],
)
def test_format_0_says_so_or_has_the_seeds_keywords(value: Any, old: bool) -> None:
    assert is_format_0(value) is old


def test_loading_an_old_file_names_the_command() -> None:
    with pytest.raises(
        SpecError, match="`kokoro-core upgrade --write` rewrites the file"
    ) as caught:
        check(parse("name: x\nformat: 0\nn_heads: 8\n", "old.yaml"), installed_plugins())
    (problem,) = caught.value.problems
    assert (problem.code, problem.path) == ("old-spec", "format")
    assert (problem.source, problem.position and problem.position.line) == ("old.yaml", 2)


def test_a_checkpoint_with_an_old_spec_loads(tmp_path: Path) -> None:
    plugins = installed_plugins()
    keywords: dict[str, Any] = {**SMALL, "n_heads": 2, "encoder_ff_dim": 8, "decoder_ff_dim": 8}
    model = KokoroModel(**keywords)
    path = tmp_path / "old.safetensors"
    metadata = {"format_version": 1, "spec": {"format": 0, **keywords}, "components": []}
    checkpointer_for(path, plugins).save(path, model.acoustic.state_dict(), metadata)
    loaded = KokoroModel.load(path)
    assert loaded.spec.decoder == model.spec.decoder
    for name, tensor in model.acoustic.state_dict().items():
        assert torch.equal(loaded.acoustic.state_dict()[name], tensor)


# A plugin's own steps


def _double(settings_: Mapping[str, Any]) -> dict[str, Any]:
    """Half the heads of long ago were called pairs."""
    if "pairs" not in settings_:
        return dict(settings_)
    rest = {key: each for key, each in settings_.items() if key != "pairs"}
    return {**rest, "heads": 2 * settings_["pairs"]}


STEPS = (
    Migration("encoder", "wide", 2, _double, plugin="toys"),
    Migration("encoder", "wide", 1, moves={"couples": "pairs"}, plugin="toys"),
    Migration("encoder", "broad", 1, lambda old: {**old, "type": "wide"}, plugin="toys"),
    Migration("acme.norm", "rms", 1, moves={"epsilon": "eps"}, plugin="toys"),
    Migration("positional_encoding", "table", 1, moves={"size.max": "max_len"}, plugin="toys"),
)
MOVING: Plugins = replace(PLUGINS, migrations=STEPS)


def upgraded_encoder(**encoder: Any) -> Any:
    return migrate(minimal(encoder=encoder), MOVING).value["encoder"]


def test_steps_run_in_the_order_of_their_versions() -> None:
    assert upgraded_encoder(type="wide", couples=2) == {"type": "wide", "heads": 4}
    assert upgraded_encoder(type="wide", pairs=2) == {"type": "wide", "heads": 4}


def test_new_settings_and_other_components_stay_as_they_are() -> None:
    value = minimal(encoder={"type": "wide", "heads": 2, "norm": {"type": "rms", "eps": 0.1}})
    migrated = migrate(value, MOVING)
    assert (migrated.value, migrated.steps, migrated.moves) == (value, (), {})
    assert migrate(minimal(postnet={"type": "wide", "pairs": 1}), MOVING).steps == ()


def test_nested_components_and_those_in_lists_and_third_party_slots_are_found() -> None:
    inner = {"type": "toys/wide", "couples": 1, "norm": {"type": "rms", "epsilon": 0.5}}
    assert upgraded_encoder(type="stack", parts=[inner]) == {
        "type": "stack",
        "parts": [{"type": "toys/wide", "norm": {"type": "rms", "eps": 0.5}, "heads": 2}],
    }


def test_a_name_that_is_gone_leads_to_the_new_one() -> None:
    assert upgraded_encoder(type="broad") == {"type": "wide"}


def test_a_component_of_another_plugin_with_the_name_is_left_alone() -> None:
    plugins = replace(AMBIGUOUS, migrations=STEPS)
    value = minimal(encoder={"type": "other/wide", "pairs": 2})
    assert migrate(value, plugins).value == value


def test_the_given_values_are_not_changed() -> None:
    value = minimal(encoder={"type": "wide", "couples": 1})
    before = json.dumps(value)
    migrate(value, MOVING)
    assert json.dumps(value) == before


def test_comments_follow_the_settings_of_a_component() -> None:
    text = (
        "hidden_dim: 8  # narrow\n"
        "encoder:\n"
        "  type: wide\n"
        "  # epsilon was too small\n"
        "  norm: {type: rms, epsilon: 5e-1}  # why not\n"
        "  positional_encoding:\n"
        "    type: table\n"
        "    size:\n"
        "      max: 20  # enough\n"
        "  couples: 1  # one pair\n"
        "duration_predictor: {type: line}\n\n"
        "regulator: {type: copy}\n"
        "decoder: {type: 'rows'}\n"
    )
    upgraded = upgrade_text(text, "my.yaml", MOVING)
    assert len(upgraded.steps) == 4
    assert upgraded.steps[0] == "encoder: encoder wide, settings 1 -> 2"
    assert upgraded.text == (
        "hidden_dim: 8  # narrow\n"
        "encoder:\n"
        "  type: wide\n"
        "  # epsilon was too small\n"
        "  norm: {type: rms, eps: 5e-1}  # why not\n"
        "  positional_encoding:\n"
        "    type: table\n"
        "    size: {}\n"
        "    max_len: 20  # enough\n"
        "  heads: 2\n"
        "duration_predictor: {type: line}\n\n"
        "regulator: {type: copy}\n"
        "decoder: {type: 'rows'}\n"
        "# one pair\n"
    )


def test_texts_of_several_lines_and_hashes_in_them_are_no_comments() -> None:
    name = "name: 'one # two\n\n  three'  # said\n"
    text = f"format: 0\n{name}hidden_dim: 16 # x # y\n"
    upgraded = upgrade_text(text, "old.yaml", installed_plugins()).text
    assert parse(upgraded).value["name"] == "one # two\nthree"
    assert upgraded.count("# said") == upgraded.count("# x # y") == 1


def test_settings_that_are_old_are_a_problem_with_the_command() -> None:
    value = minimal(encoder={"type": "wide", "pairs": 1})
    with pytest.raises(SpecError, match=r"encoder wide, settings 2 -> 3.*kokoro-core upgrade"):
        load_spec(value, plugins=MOVING)


def test_a_text_that_is_no_spec_at_all_is_refused_with_its_place() -> None:
    with pytest.raises(SpecError, match=r"my.yaml:1:4: .*anchor"):
        upgrade_text("a: &x 1\n", "my.yaml", PLUGINS)
    assert upgrade_text("[1]\n", "my.yaml", PLUGINS).steps == ()
    assert from_mapping({}).problems == ()
