"""The commands that read specs and list what is installed: output, errors, exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kokoro_core.cli.app import main
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.views.reference import fields_of
from kokoro_plugins.transformer.params import TransformerEncoderParams
from registry import installed_plugins

BAD = """\
encoder: {type: transformer, num_head: 4}
duration_predictor: {type: mlp}
regulator: {type: repeat}
decoder:
  type: transformer
  hidden_dim: 128
"""


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("KOKORO_DEBUG", raising=False)

    def run_main(*args: str | Path) -> Ran:
        with pytest.raises(SystemExit) as caught:
            main([str(each) for each in args])
        captured = capsys.readouterr()
        code = caught.value.code
        return Ran(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run_main


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    return path


# check


def test_check_says_ok_for_every_named_spec(run: Run) -> None:
    names = sorted(installed_plugins().specs)
    ran = run("check", *names)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [f"{name}: ok" for name in names]


def test_check_prints_every_problem_of_every_file_on_a_line_of_its_own(run: Run, bad: Path) -> None:
    ran = run("check", bad, "small", "smal", bad.parent / "none.yaml")
    assert ran.status == 1
    assert ran.out == "small: ok\n"
    lines = ran.err.splitlines()
    assert lines[0].startswith(f"{bad}:1:30: encoder.num_head: unknown field, did you mean 'num_he")
    assert lines[1].startswith(f"{bad}:6:15: decoder.hidden_dim: the regulator gives memory")
    assert "`smal` is not a named spec, did you mean `small`?" in lines[2]
    assert "There is no spec file" in lines[3]
    assert len(lines) == 4


def test_check_as_json_has_codes_paths_and_positions(run: Run, bad: Path) -> None:
    ran = run("check", "small", bad, "--json")
    assert ran.status == 1
    fine, wrong = ran.json
    assert fine == {"spec": "small", "problems": [], "notes": []}
    assert wrong["problems"][0] == {
        "code": "unknown-field",
        "path": "encoder.num_head",
        "message": "unknown field, did you mean 'num_heads'?",
        "source": str(bad),
        "position": {"line": 1, "column": 30},
        "received": "num_head",
        "expected": [field["name"] for field in fields_of(TransformerEncoderParams)],
    }


def test_check_applies_overrides_and_blames_them(run: Run) -> None:
    assert run("check", "small", "--set", "hidden_dim=64").status == 0
    ran = run("check", "small", "--set", "hidden_dim=65", "--set", "encoder.num_layer=2")
    assert ran.status == 1
    assert "--set encoder.num_layer=2: encoder.num_layer: unknown field" in ran.err
    assert run("check", "small", "--set", "hidden_dim").err.startswith("--set: `hidden_dim` has no")


def test_a_spec_that_is_named_twice_is_checked_twice(run: Run) -> None:
    assert run("check", "small", "small").out == "small: ok\nsmall: ok\n"


# resolve


def test_resolve_prints_a_spec_that_reads_back_equal(run: Run, tmp_path: Path) -> None:
    expected = load_spec("small", overrides={"encoder.num_layers": 2})
    for name, option in (("full.yaml", ()), ("full.json", ("--json",))):
        ran = run("resolve", "small", "--set", "encoder.num_layers=2", *option)
        text = json.dumps(ran.json["spec"]) if option else ran.out
        (tmp_path / name).write_text(text)
        assert load_spec(tmp_path / name) == expected


def test_resolve_of_a_bad_spec_prints_its_problems(run: Run, bad: Path) -> None:
    ran = run("resolve", bad)
    assert (ran.status, ran.out) == (1, "")
    assert len(ran.err.splitlines()) == 2


# listings


def test_components_lists_every_registered_component_with_its_origin(run: Run) -> None:
    rows = run("components", "--json").json
    registered = {(each.slot, each.qualified_name) for each in installed_plugins().components}
    assert {(each["slot"], each["qualified_name"]) for each in rows} == registered
    assert all(each["summary"] and each["version"] for each in rows)
    table = run("components").out
    assert all(each["type"] in table for each in rows)


def test_components_of_one_slot(run: Run) -> None:
    rows = run("components", "encoder", "--json").json
    assert {each["slot"] for each in rows} == {"encoder"}
    ran = run("components", "encodr")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("`encodr` is not a slot, did you mean `encoder`? slots: ")


def test_specs_lists_the_named_specs(run: Run) -> None:
    rows = run("specs", "--json").json
    assert {each["name"] for each in rows} >= {"small", "base", "default", "voice"}
    assert "small" in run("specs").out


def test_plugins_lists_every_plugin_with_its_state(run: Run) -> None:
    rows = run("plugins", "--json").json
    assert {each["name"] for each in rows} == {each.name for each in installed_plugins().records}
    assert {each["status"] for each in rows} == {"loaded"}
    assert "transformer" in run("plugins").out


def test_a_plugin_can_be_left_out(run: Run) -> None:
    rows = run("--no-plugin", "transformer", "--no-plugin", "speech", "plugins", "--json").json
    assert {each["name"] for each in rows if each["status"] == "blocked"} == {
        "transformer",
        "speech",
    }
    assert "no registered" not in run("--no-plugin", "transformer", "check", "default").err
    ran = run("--no-plugin", "tranformer", "plugins")
    assert ran.status == 1
    assert "`--no-plugin tranformer`: no such plugin, did you mean `transformer`?" in ran.err


def test_a_spec_that_needs_a_plugin_that_was_left_out_says_so(run: Run, bad: Path) -> None:
    ran = run("--no-plugin", "transformer", "check", bad)
    assert ran.status == 1
    assert "the plugin 'transformer' is blocked" in ran.err


def test_a_named_spec_or_a_command_of_a_plugin_that_was_left_out_says_so(run: Run) -> None:
    ran = run("--no-plugin", "transformer", "check", "small")
    assert ran.status == 1
    assert "`small` is not a named spec, did you mean `flow-small`? available: " in ran.err
    assert "; the plugin 'transformer' is" in ran.err
    ran = run("--no-plugin", "training", "train", "small")
    said = " ".join(ran.err.replace("│", " ").split())
    assert ran.status == 2
    assert "No such command 'train'; the plugin 'training' is blocked" in said
    assert "take it out of `--no-plugin`" in said


# describe


def test_describe_shows_a_component_s_settings_in_every_slot_of_that_name(run: Run) -> None:
    encoder, *others = [
        each for each in run("describe", "transformer", "--json").json if each["slot"] == "encoder"
    ]
    assert not others
    assert encoder["qualified_name"] == "transformer/transformer"
    fields = {each["name"]: each for each in encoder["fields"]}
    assert fields["norm"]["type"] == "'pre' or 'post'"
    assert fields["num_layers"]["constraints"] == "≥ 1"
    assert "num_layers" in run("describe", "transformer").out


def test_describe_of_one_slot(run: Run) -> None:
    described = run("describe", "conv", "--slot", "postnet", "--json").json
    assert [each["slot"] for each in described] == ["postnet"]
    ran = run("describe", "convv", "--slot", "postnet")
    assert (ran.status, ran.out) == (1, "")
    assert "`convv` is not a registered postnet, did you mean `conv`?" in ran.err


def test_describe_counts_the_parameters_of_a_spec_exactly(run: Run) -> None:
    described = run("describe", "default", "--json").json
    assert described["size"]["parameters"] == 44_650_066  # the design's table of named specs
    assert described["size"]["bytes"] == 4 * 44_650_066
    slots = described["size"]["slots"]
    assert sum(each["parameters"] for each in slots.values()) == 44_650_066
    table = run("describe", "default").out
    assert "44,650,066" in table
    assert "transformer/sinusoidal" in table


def test_describe_of_neither_a_component_nor_a_spec_is_one_line(run: Run) -> None:
    ran = run("describe", "transformr")
    assert (ran.status, ran.out) == (1, "")
    assert len(ran.err.splitlines()) == 1


# usage


def test_version_and_help(run: Run) -> None:
    assert run("--version").out.startswith("kokoro-core ")
    ran = run("--help")
    assert ran.status == 0
    for command in ("check", "describe", "synthesize", "profile", "train", "demo"):
        assert command in ran.out


@pytest.mark.parametrize(
    "args",
    [("chek",), ("check",), ("check", "--jsn", "x"), ("--zzz", "plugins"), ("profile", "--zzz")],
)
def test_a_wrong_command_line_ends_with_2(run: Run, args: tuple[str, ...]) -> None:
    ran = run(*args)
    assert (ran.status, ran.out) == (2, "")
    assert "Usage: kokoro-core" in ran.err


def test_python_m_kokoro_core_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kokoro_core", "check", "nothing.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "nothing.yaml: There is no spec file `nothing.yaml`. [no-such-spec]\n"
