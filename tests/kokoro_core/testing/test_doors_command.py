"""The door of the command line: what can be named, what is printed, how it ends."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kokoro_core.cli.app import main
from kokoro_core.testing.checks import CHECKS
from kokoro_core.testing.engine.component import subjects_of
from kokoro_core.testing.engine.replay import replay_line
from kokoro_core.testing.engine.targets import targets_named
from kokoro_core.testing.subjects.model_subject import ModelSubject
from registry import ComponentRegistry, Plugins, installed_plugins

pytestmark = pytest.mark.same_everywhere

ROOT = Path(__file__).parents[3]
LEAKY = "tests.kokoro_core.testing.faulty:LeakyParams"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments: str) -> int:
    """Run the command and return how it ended."""
    try:
        main(["conformance", *arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_a_component_that_conforms_is_a_line_and_ends_with_0(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("regulator/repeat", "--check", "shapes", "--check", "permutation") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["component", "passed", "failed", "skipped", "seconds"]
    assert lines[1].split()[:4] == ["regulator/repeat", "2", "0", "0"]
    assert lines[-1].startswith("conforms: 2 passed (level fast, seed 0, version 2")


def test_a_component_that_does_not_says_what_is_broken_and_ends_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(LEAKY, "--check", "row-alone", "--check", "golden-keys", "--verbose") == 1
    printed = capsys.readouterr().out
    assert "encoder/leaky row-alone: Each row gives alone" in printed
    assert "  broken: " in printed
    assert '  smallest case: {"lengths":[1],' in printed
    assert f"  replay: PYTHONPATH={ROOT} kokoro-core conformance {LEAKY} --settings" in printed
    assert "encoder/leaky-golden-keys  skipped" in printed
    assert "no golden keys are given" in printed
    assert "does not conform: 1 failed, 1 skipped" in printed


def test_json_has_every_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(LEAKY, "--check", "row-alone", "--json", "--seed", "7") == 1
    report = json.loads(capsys.readouterr().out)
    assert {key: report[key] for key in ("ok", "level", "seed", "conformance_version")} == {
        "ok": False,
        "level": "fast",
        "seed": 7,
        "conformance_version": 2,
    }
    [result] = report["results"]
    assert (result["check"], result["status"]) == ("row-alone", "failed")


def test_an_expected_failure_is_shown_and_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(LEAKY, "--check", "row-alone", "--expect", "row-alone=known") == 0
    assert "conforms: 1 expected" in capsys.readouterr().out
    assert run(LEAKY, "--check", "shapes", "--expect", "shapes=known") == 1
    assert "take it off the list" in capsys.readouterr().out


def test_settings_and_a_variant_choose_what_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(LEAKY, "--check", "shapes", "--settings", '{"loud":true}', "--json") == 0
    [result] = json.loads(capsys.readouterr().out)["results"]
    assert result["component"] == "encoder/leaky"
    assert run(LEAKY, "--check", "shapes", "--variant", "loud", "--json") == 0
    [result] = json.loads(capsys.readouterr().out)["results"]
    assert result["component"] == "encoder/leaky:loud"


def test_golden_keys_are_written_and_compared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = str(tmp_path / "golden.json")
    assert run(LEAKY, "--write-golden", file) == 0
    assert capsys.readouterr().out == f"{file}: encoder/leaky, encoder/leaky:loud\n"
    assert run(LEAKY, "--check", "golden-keys", "--golden", file) == 0


def test_the_list_has_every_check_with_its_meaning_and_a_bug(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["checks"]
    assert [each["id"] for each in listed] == [each.id for each in CHECKS]
    assert all(each["meaning"].endswith(".") and each["bug"] for each in listed)
    assert run("--list") == 0
    assert "row-alone" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a component, a plugin, a spec or a params class"),
        (["mpl"], "`mpl` is not a component, plugin or spec, did you mean `mlp`?"),
        (["encoder/mlp"], "`mlp` is not a registered encoder"),
        (["espeak"], "no checks exist for"),
        (["json:JSONDecoder"], "`json:JSONDecoder` is no params class"),
        (["kokoro_core.slots:EncoderParams"], "is not a component: its `type` has no name"),
        (["mlp", "--check", "row-alon"], "`row-alon` is not a check, did you mean `row-alone`?"),
        (["mlp", "--case", "{}"], "a case needs one check by its id"),
        (
            ["mlp", "--settings", '{"dropuot":1}'],
            "refuses dropuot: unknown field, did you mean 'dropout'?",
        ),
        (["mlp", "--settings", "{"], "refuses settings: invalid JSON"),
        (["mlp", "repeat", "--settings", "{}"], "`--settings` needs one component"),
        (["mlp", "--variant", "x"], "`--variant x` is not a configuration; the choices are ''"),
        (["mlp", "--expect", "x"], "`--expect x` must be ID=REASON"),
        (["mlp", "--version", "9"], "has the versions 1 to 2, not 9"),
        (["mlp", "--version", "0"], "has the versions 1 to 2, not 0"),
        (["acme.py"], "name a params class in it: acme.py:CLASS"),
        (["mlp", "--golden", "nowhere.json"], "`nowhere.json` does not exist"),
        (["mlp", "--level", "slow"], "'slow' is not one of"),
    ],
    ids=lambda each: "-".join(each) or "nothing" if isinstance(each, list) else "",
)
def test_what_cannot_be_meant_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(*arguments) == 2
    said = capsys.readouterr().err.replace("│", " ")
    assert " ".join(message.split()) in " ".join(said.split())


STRANGE = {
    "syntax.py": "class X(:\n",
    "exits.py": "import sys\nsys.exit(3)\n",
    "raises.py": "raise KeyError('boom')\n",
    "needs.py": "import acme_is_not_here\n",
    "zeros.py": "\0\0",
    "meta.py": (
        "class M(type):\n    def __getattr__(cls, name): raise RuntimeError('no')\n"
        "class P(metaclass=M): ...\n"
    ),
    "tiny_raises.py": (
        "from tests.kokoro_core.testing.faulty import LeakyParams\n"
        "class P(LeakyParams):\n"
        "    @classmethod\n"
        "    def tiny(cls): raise KeyError('size')\n"
        "class Q(LeakyParams):\n"
        "    @classmethod\n"
        "    def tiny(cls): return {'': {'lout': True}}\n"
        "class N(LeakyParams):\n"
        "    @classmethod\n"
        "    def tiny(cls): return {}\n"
        "class B(LeakyParams):\n"
        "    def build(self, sizes): raise KeyError('weights')\n"
    ),
}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["syntax.py:X"], "`syntax.py` is no Python that can be read: invalid syntax"),
        (["zeros.py:X"], "`zeros.py` is no Python that can be read"),
        (["exits.py:X"], "`exits.py` could not be imported: SystemExit: 3 (exits.py:2: sys.exit"),
        (["raises.py:X"], "could not be imported: KeyError: 'boom' (raises.py:1: raise KeyError"),
        (["needs.py:X"], "`needs.py` needs the module `acme_is_not_here`"),
        (["meta.py:P.x"], "`meta.py` has no `P.x`"),
        (["..x:Y"], "`..x` is not a module that can be imported"),
        (["x..y:Z"], "`x..y` is not a module that can be imported"),
        (["tiny_raises.py:P"], "cannot be made from what its `tiny` says: KeyError: 'size'"),
        (["tiny_raises.py:Q"], "what its `tiny` says: `lout`: Extra inputs are not permitted"),
        (["tiny_raises.py:N"], "`encoder/leaky`: `tiny` gives no configuration"),
        (["tiny_raises.py:B", "--write-golden", "g.json"], "`encoder/leaky` cannot be built: KeyE"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_whatever_a_file_holds_is_a_line_and_no_traceback(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    for name, text in STRANGE.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for name in STRANGE:
        monkeypatch.delitem(sys.modules, name.removesuffix(".py"), raising=False)
    assert run(*arguments) == 2
    said = capsys.readouterr().err.replace("│", " ")
    assert " ".join(message.split()) in " ".join(said.split())


# what a name means


def named(text: str) -> tuple[list[str], list[str]]:
    """Return the subjects that a text names, and what is said besides."""
    notes: list[str] = []
    found = subjects_of(targets_named(text, installed_plugins(), notes.append))
    return [each.name for each in found if each.first], notes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("encoder/transformer", ["encoder/transformer"]),
        ("encoder/transformer/transformer", ["encoder/transformer"]),
        ("regulator/", ["regulator/gaussian", "regulator/learned_ranges", "regulator/repeat"]),
        ("fastspeech/conv", ["duration_predictor/conv"]),
        ("gaussian", ["regulator/gaussian"]),
        ("tacotron/", ["postnet/conv"]),
        ("kokoro_plugins.transformer.params:MlpParams", ["duration_predictor/mlp"]),
        ("kokoro_plugins/transformer/params.py:MlpParams", ["duration_predictor/mlp"]),
    ],
)
def test_a_component_a_plugin_and_a_class_have_names(text: str, expected: list[str]) -> None:
    assert named(text)[0] == expected


def test_a_short_name_is_meant_in_every_slot_and_a_plugin_of_that_name_is_mentioned() -> None:
    names, notes = named("transformer")
    assert names == ["decoder/transformer", "encoder/transformer"]
    assert notes == ["`transformer` is a plugin too; `transformer/` means all of its components"]
    assert {"regulator/repeat", *names} < set(named("transformer/")[0])


def test_what_is_named_twice_is_checked_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("gaussian", "gaussian/", "regulator/gaussian", "--check", "seeded", "--json") == 0
    results = json.loads(capsys.readouterr().out)["results"]
    assert [each["component"] for each in results] == ["regulator/gaussian"]


def test_what_has_no_checks_is_said() -> None:
    plugins = installed_plugins()
    [encoder] = [each for each in plugins.components if each.slot == "encoder"][:1]
    vocoder = next(each for each in plugins.components if each.slot == "vocoder")
    both = [replace(each, plugin="acme") for each in (encoder, vocoder)]
    notes: list[str] = []
    found = targets_named("acme/", Plugins(components=ComponentRegistry(both)), notes.append)
    assert found == [encoder.component]
    assert notes == [f"no checks exist for vocoder/{vocoder.name}"]


def test_a_spec_means_its_parts_with_its_settings_made_small(tmp_path: Path) -> None:
    spec = {
        "format": 1,
        "name": "mine",
        "hidden_dim": 64,
        "encoder": {
            "type": "transformer",
            "norm": "post",
            "num_layers": 9,
            "positional_encoding": {"type": "rotary"},
        },
        "duration_predictor": {"type": "mlp"},
        "regulator": {"type": "repeat"},
        "decoder": {"type": "transformer", "num_layers": 5, "hidden_dim": 64},
    }
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps(spec))
    found: list[Any] = targets_named(str(file), installed_plugins())
    assert found[-1].name == "model/mine"
    by_name = {each.name: each.params for each in found[:-1]}
    assert by_name["encoder/transformer"].norm == "post"
    assert by_name["encoder/transformer"].num_layers == 2
    assert by_name["decoder/transformer"].hidden_dim is None
    assert "positional_encoding/rotary:encoder.positional_encoding" in by_name


def test_the_replay_line_of_a_spec_in_a_file_works_in_any_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small = installed_plugins().named_spec("small").file.read_text()
    (tmp_path / "mine.yaml").write_text(small)
    monkeypatch.chdir(tmp_path)
    [*_, model] = targets_named("mine.yaml", installed_plugins())
    assert isinstance(model, ModelSubject)
    words = shlex.split(replay_line(model, CHECKS[-1]))
    assert words[:3] == ["kokoro-core", "conformance", str(tmp_path / "mine.yaml")]
    named = ModelSubject(model.spec, "default")
    assert shlex.split(replay_line(named, CHECKS[-1]))[2] == "default"


def test_help_imports_no_torch() -> None:
    code = (
        "import sys\nfrom kokoro_core.cli.app import main\n"
        "try:\n    main(['conformance', '--help'])\nexcept SystemExit as end:\n"
        "    assert not end.code\nassert not {'torch', 'hypothesis'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
