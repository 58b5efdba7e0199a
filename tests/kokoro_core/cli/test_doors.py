"""What a newcomer types by mistake at the commands that describe, compare, draft and check."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kokoro_core.cli.app import main
from kokoro_core.cli.commands.new_plugin import write_new
from kokoro_core.cli.output import write_file
from kokoro_core.cost.estimate import Workload
from registry.text import closest

SPEC = """\
hidden_dim: 8
encoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 8}
duration_predictor: {type: mlp}
regulator: {type: repeat}
decoder: {type: transformer, num_layers: 1, num_heads: 2, ff_dim: 8}
"""


@dataclass(frozen=True)
class Ran:
    status: object
    out: str
    err: str

    @property
    def said(self) -> str:
        """What was said in the frame of a wrong usage or without one, in one line."""
        return " ".join(self.err.replace("│", " ").split())


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ok.yaml").write_text(SPEC)

    def run(*arguments: str) -> Ran:
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        return Ran(caught.value.code or 0, *capsys.readouterr())

    return run


# names that are nearly right


@pytest.mark.parametrize("given", ["ENCODER", "Encoder", "encoders"])
def test_a_name_in_other_letters_is_nearly_right(run: Run, given: str) -> None:
    ran = run("components", given)
    assert ran.err.startswith(f"`{given}` is not a slot, did you mean `encoder`? slots: ")
    assert closest("TRANSFORMER", ["conv", "transformer"]) == "transformer"
    assert run("check", "ok.yaml", "--set", "Encoder.num_layers=2").status == 1


def test_a_setting_in_other_letters_is_nearly_right(run: Run) -> None:
    ran = run("check", "ok.yaml", "--set", "encoder.NUM_LAYERS=2")
    assert "unknown field, did you mean 'num_layers'?" in ran.err


@pytest.mark.parametrize(
    ("given", "meant"),
    [("transformr", "transformer"), ("encodr/transformer", "transformer/transformer")],
)
def test_a_component_that_is_nearly_right_is_named_by_describe(
    run: Run, given: str, meant: str
) -> None:
    ran = run("describe", given)
    assert (ran.status, ran.out) == (1, "")
    assert f"`{given}` is neither a component nor a spec, did you mean `{meant}`?" in ran.err


def test_describe_takes_a_slot_and_a_name(run: Run) -> None:
    assert run("describe", "encoder/transformer").out.startswith("encoder transformer/transformer")
    ran = run("describe", "encoder/transformr")
    assert "`transformr` is not a registered encoder, did you mean `transformer`?" in ran.err


def test_a_slot_of_describe_that_is_none_is_said_to_be_none(run: Run) -> None:
    ran = run("describe", "transformer", "--slot", "decodr")
    assert ran.err.startswith("`decodr` is not a slot, did you mean `decoder`?")


def test_a_slot_stays_one_without_the_plugins_that_fill_it(run: Run) -> None:
    without = [word for name in ("speech", "hibari", "shards") for word in ("--no-plugin", name)]
    ran = run(*without, "components", "corpus")
    assert ran.status == 1
    assert ran.err.startswith("no component for the slot `corpus` is registered; ")
    assert "'hibari' (blocked), 'shards' (blocked), 'speech' (blocked)" in ran.err


def test_conformance_says_which_plugin_is_missing_and_does_not_offer_the_same_name(
    run: Run,
) -> None:
    ran = run("--no-plugin", "transformer", "conformance", "transformer")
    assert ran.status == 2
    assert "did you mean `transformer`" not in ran.said
    assert "the plugin 'transformer' is blocked" in ran.said


def test_a_slot_of_new_plugin_that_is_nearly_right_is_named(run: Run) -> None:
    ran = run("new-plugin", "acme", "--slot", "decodr")
    assert "`--slot decodr` has no example, did you mean `decoder`? there are encoder, " in ran.err


def test_upgrade_says_that_a_named_spec_is_no_file(run: Run) -> None:
    ran = run("upgrade", "small")
    assert ran.err.startswith("There is no spec file `small`; a named spec comes with its plugin")


# options that say nothing, or contradict each other


@pytest.mark.parametrize(
    "options", [["--set", "num_layers=2"], ["--rows", "4"], ["--phonemes", "9"], ["--frames", "9"]]
)
def test_options_of_a_spec_are_refused_for_a_component(run: Run, options: list[str]) -> None:
    ran = run("describe", "transformer", *options)
    assert (ran.status, ran.out) == (2, "")
    assert f"{options[0]} is for specs, and `transformer` is a component" in ran.said


@pytest.mark.parametrize("option", ["--set-a", "--set-b"])
@pytest.mark.parametrize("value", ["foo", "foo=3", "=3", "hidden_dim=[1"])
def test_diff_names_the_option_that_was_given(run: Run, option: str, value: str) -> None:
    ran = run("diff", "ok.yaml", "ok.yaml", option, value)
    assert ran.status == 1
    assert ran.err.startswith(option)
    assert "--set " not in ran.err


def test_conformance_lists_checks_or_runs_them(run: Run) -> None:
    ran = run("conformance", "encoder/transformer", "--list")
    assert (ran.status, ran.out) == (2, "")
    assert "--list lists every check and ends; leave out encoder/transformer" in ran.said
    assert run("conformance", "--list", "--json").status == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--check", "shapes"],
        ["--case", "{}"],
        ["--expect", "shapes=x"],
        ["--json"],
        ["--seed", "1"],
    ],
)
def test_conformance_writes_golden_keys_or_runs_checks(run: Run, options: list[str]) -> None:
    ran = run("conformance", "regulator/repeat", "--write-golden", "g.json", *options)
    assert (ran.status, ran.out) == (2, "")
    assert f"--write-golden writes and ends; leave out {options[0]}" in ran.said
    assert not os.path.lexists("g.json")


@pytest.mark.parametrize(("name", "form"), [("x.dot", "mermaid"), ("x.mmd", "dot")])
def test_a_graph_is_not_written_under_the_suffix_of_another_format(
    run: Run, name: str, form: str
) -> None:
    ran = run("graph", "ok.yaml", "--out", name, "--format", form)
    assert ran.status == 2
    assert f"--out {name} and --format {form} contradict each other" in ran.said
    assert not os.path.lexists(name)
    assert run("graph", "ok.yaml", "--out", "x.txt", "--format", form).status == 0


# values that cannot be


@pytest.mark.parametrize("option", ["--rows", "--phonemes", "--frames"])
@pytest.mark.parametrize("value", ["1000001", "9" * 18, "9" * 60])
def test_a_workload_that_nothing_can_hold_is_refused(run: Run, option: str, value: str) -> None:
    ran = run("describe", "ok.yaml", option, value)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == f"`{option[2:]}` must be from 1 to 1,000,000, not {value}.\n"


def test_a_workload_of_python_has_whole_numbers() -> None:
    with pytest.raises(ValueError, match=r"^`rows` must be from 1 to 1,000,000, not 0\."):
        Workload(0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('{"num_layer": 3}', "num_layer: unknown field, did you mean 'num_layers'?"),
        ('{"num_layers": 1.5}', "num_layers: expected an integer, got 1.5"),
        ('{"num_layers": -1}', "num_layers: must be at least 1, got -1"),
        ('{"dropout": NaN}', "dropout: must be a finite number, got NaN"),
        ("{", "settings: invalid JSON"),
        ("[]", "settings: expected a mapping, got []"),
        (
            '{"positional_encoding": {"type": "rotari"}}',
            "no positional_encoding is named 'rotari', did you mean `rotary`?",
        ),
    ],
)
def test_settings_of_conformance_are_refused_as_those_of_a_spec(
    run: Run, settings: str, said: str
) -> None:
    ran = run("conformance", "encoder/transformer", "--settings", settings)
    assert ran.status == 2
    assert said in ran.said
    assert ", not " not in ran.said


@pytest.mark.parametrize(("setting", "what"), [("num_layers", "layers"), ("ff_dim", "parameters")])
def test_settings_of_conformance_have_the_limits_of_a_spec(
    run: Run, setting: str, what: str
) -> None:
    given = json.dumps({setting: 10**12, "num_heads": 1})
    ran = run("conformance", "encoder/transformer", "--check", "shapes", "--settings", given)
    assert ran.status == 2
    assert f"{what} are here; at most" in ran.said


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("", "`--type ` is not a name for a component"),
        ("null", "`--type null` is not a name for a component"),
        ("true", "`--type true` is not a name for a component"),
        ("transformer", "`--type transformer` is taken by `transformer/transformer`"),
    ],
)
def test_a_type_that_no_spec_could_name_is_refused(run: Run, kind: str, said: str) -> None:
    ran = run("new-plugin", "acme", "--slot", "encoder", "--type", kind)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(said)
    assert not os.path.lexists("acme")


@pytest.mark.parametrize("content", ["", "- a\n", "3\n", "just a text\n"])
def test_what_is_no_spec_is_not_said_to_be_up_to_date(run: Run, content: str) -> None:
    Path("x.yaml").write_text(content)
    ran = run("upgrade", "x.yaml")
    assert ran.status == 1
    assert "up to date" not in ran.err
    assert "up to date" in run("upgrade", "ok.yaml").err


# what is left behind


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_plugin_that_could_not_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    texts = {"a": "1", "b/c": "2"}
    write_text = Path.write_text

    def full(path: Path, text: str, **options: str) -> int:
        if path.name == "c":
            raise error
        return write_text(path, text, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(type(error)):
            write_new(tmp_path / "acme", texts)
    assert list(tmp_path.iterdir()) == []
    write_new(tmp_path / "acme", texts)
    assert (tmp_path / "acme" / "b" / "c").read_text() == "2"


def test_a_file_that_cannot_be_written_is_named_as_it_was_given(run: Run) -> None:
    for arguments in (
        ["schema", "--out", "ok.yaml/x.json"],
        ["new-spec", "--out", "ok.yaml/x.yaml"],
        ["graph", "ok.yaml", "--out", "ok.yaml/x.dot"],
        ["conformance", "regulator/repeat", "--write-golden", "ok.yaml/x.json"],
        ["conformance", "regulator/repeat", "--write-golden", "no/x.json"],
    ):
        ran = run(*arguments)
        assert ran.status == 1
        assert ran.err.startswith(f"`{arguments[-1]}`: ")
    assert [each.name for each in Path().iterdir()] == ["ok.yaml"]


def test_a_file_of_golden_keys_may_be_read_by_others(run: Run) -> None:
    assert run("conformance", "regulator/repeat", "--write-golden", "g.json").status == 0
    write_file(Path("beside"), "")
    assert Path("g.json").stat().st_mode == Path("beside").stat().st_mode


def test_conformance_leaves_nothing_in_the_folder_where_it_is_run(run: Run) -> None:
    assert run("conformance", "regulator/repeat", "--check", "row-alone").status == 0
    assert [each.name for each in Path().iterdir()] == ["ok.yaml"]
