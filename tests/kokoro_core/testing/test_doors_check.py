"""The door without pytest: what a report says, what is refused, and that a failure comes again."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from kokoro_core.cli.app import main
from kokoro_core.testing import ConformanceError, check_component
from kokoro_core.testing.checks import find_checks
from kokoro_core.testing.engine import component as door
from kokoro_core.testing.engine.golden import write_golden
from kokoro_core.testing.engine.levels import level_named
from kokoro_core.testing.engine.runner import CheckPlan, run_check
from kokoro_core.testing.subjects.importable import import_class, is_importable, name_of, roots_of
from kokoro_core.testing.subjects.subject import Subject
from kokoro_plugins.transformer.params import MlpParams, TransformerEncoderParams
from tests.kokoro_core.testing.faulty import LeakyParams

pytestmark = pytest.mark.same_everywhere

LEAK = "row-alone"
ROOT = Path(__file__).parents[3]


def test_a_failure_says_the_property_the_smallest_case_and_a_line_that_tries_it_again() -> None:
    with pytest.raises(ConformanceError) as raised:
        check_component(LeakyParams, only=LEAK)
    [result] = raised.value.report.results
    said = str(raised.value)
    assert "encoder/leaky row-alone: Each row gives alone, without padding" in said
    assert f"smallest case: {result.case}" in said
    assert f"replay: {result.replay}" in said
    assert json.loads(result.case)["lengths"] == [1]  # alone, and one step longer than it is
    words = shlex.split(result.replay)
    assert words[0].split(":")[0] == f"PYTHONPATH={ROOT}"
    assert words[1:4] == [
        "kokoro-core",
        "conformance",
        "tests.kokoro_core.testing.faulty:LeakyParams",
    ]


def test_the_line_finds_the_same_failure_and_no_other_from_any_folder(tmp_path: Path) -> None:
    [found] = check_component(LeakyParams, only=LEAK, raises=False).results
    ran = subprocess.run(
        f"{found.replay} --json", shell=True, cwd=tmp_path, capture_output=True, check=False
    )
    assert ran.returncode == 1, ran.stderr
    [again] = json.loads(ran.stdout)["results"]
    same = ("component", "check", "status", "reason", "case", "replay")
    assert {each: again[each] for each in same} == {each: asdict(found)[each] for each in same}


def test_running_twice_gives_the_same() -> None:
    ids = [LEAK, "shapes", "padding-poison", "permutation", "seeded"]

    def results() -> list[dict[str, Any]]:
        report = check_component(LeakyParams, level="ci", only=ids, raises=False)
        return [{**asdict(each), "seconds": 0} for each in report.results]

    assert results() == results()


def test_fast_tries_the_first_configuration_and_ci_all() -> None:
    def names(level: Any) -> list[str]:
        report = check_component(LeakyParams, level=level, only="shapes")
        return [each.component for each in report.results]

    assert names("fast") == ["encoder/leaky"]
    assert names("ci") == ["encoder/leaky", "encoder/leaky:loud"]


def test_settings_are_checked_as_they_are() -> None:
    [result] = check_component(MlpParams(dropout=0.3), only="shapes").results
    assert (result.component, result.status) == ("duration_predictor/mlp", "passed")


# expected failures


def test_an_expected_failure_that_comes_is_fine_and_keeps_its_reason() -> None:
    [result] = check_component(
        LeakyParams, only=LEAK, expected_failures={LEAK: "known since May"}
    ).results
    assert result.status == "expected"
    assert result.reason.startswith("known since May (")


def test_an_expected_failure_that_does_not_come_fails() -> None:
    with pytest.raises(ConformanceError, match=r"shapes: passes, though .* \(a reason\); take it"):
        check_component(LeakyParams, only="shapes", expected_failures={"shapes": "a reason"})


def test_a_failure_may_be_expected_of_one_configuration() -> None:
    report = check_component(
        LeakyParams,
        level="ci",
        only=LEAK,
        expected_failures={"encoder/leaky:loud-row-alone": "loud"},
        raises=False,
    )
    assert [each.status for each in report.results] == ["failed", "expected"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"expected_failures": {"row-alon": "x"}}, "`row-alon` is not a check, did you mean"),
        ({"expected_failures": {LEAK: " "}}, "expected failure of `row-alone` needs a reason"),
        ({"only": "step-cost"}, "`step-cost` is not a check"),
        ({"level": "slow"}, "`slow` is not a level; the levels are fast, ci, nightly"),
        ({"version": 99}, "has the versions 1 to 2, not 99"),
        ({"case": "{}"}, "a case needs one check by its id"),
        ({"case": "{", "only": LEAK}, r"`\{` is not a case of `row-alone`; one is \{\"lengths\""),
        ({"case": '{"x":1}', "only": "seeded"}, "is not a case of `seeded`"),
        ({"golden": {}}, "the golden keys have nothing for `encoder/leaky`"),
        ({"golden": "nowhere.json"}, "`nowhere.json` does not exist; .* writes it"),
    ],
    ids=lambda each: None if isinstance(each, str) else "-".join(each),
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_component(LeakyParams, **arguments)


def test_without_hypothesis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"install 'kokoro-core\[conformance\]' brings"):
        check_component(LeakyParams, only=LEAK)
    case = '{"lengths":[2],"extra":0,"seed":0}'  # nothing to draw
    assert check_component(LeakyParams, only="shapes", case=case).ok


def test_a_check_that_is_newer_than_the_version_asked_for_warns() -> None:
    [check] = find_checks([LEAK]).values()
    plan = CheckPlan(level_named("fast"), 0, version=1)
    newer = run_check(Subject(LeakyParams()), replace(check, since=2), plan)
    assert newer.status == "warned"
    assert not newer.bad
    assert run_check(Subject(LeakyParams()), check, plan).status == "failed"


def test_a_component_that_cannot_be_built_fails_with_its_error() -> None:
    class Broken(LeakyParams):
        def build(self, sizes: Any) -> Any:
            raise RuntimeError("no weights here")

    [result] = check_component(Broken, only="shapes", raises=False).results
    assert result.status == "failed"
    assert result.reason == "it raised RuntimeError: no weights here"


# golden keys


def test_golden_keys_are_written_and_hold(tmp_path: Path) -> None:
    file = tmp_path / "golden.json"
    write_golden(door.subjects_of([LeakyParams]), file)
    write_golden(door.subjects_of([MlpParams]), file)
    written = json.loads(file.read_text())
    assert set(written) == {"encoder/leaky", "encoder/leaky:loud", "duration_predictor/mlp"}
    # 11 phonemes, 8 channels: the sizes around a component under test
    assert written["encoder/leaky"]["embedding.weight"] == [[11, 8], "float32"]
    [result] = check_component(LeakyParams, only="golden-keys", golden=file).results
    assert result.status == "passed"


def spoilt(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    state = {"embedding.weight": [[11, 8], "float32"], "out.weight": [[8, 8], "float32"]}
    golden = {name: {**state, "out.bias": [[8], "float32"]} for name in NAMES}
    change(golden["encoder/leaky"])
    return golden


NAMES = ("encoder/leaky", "encoder/leaky:loud")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.update(gone=[[1], "float32"]), r"\['gone'\] must stay in the state"),
        (lambda state: state.pop("out.bias"), r"\['out.bias'\] must not join the state"),
        (lambda state: state.update({"out.bias": [[9], "float32"]}), "must keep shape and dtype"),
    ],
    ids=["gone", "new", "other shape"],
)
def test_a_state_that_changed_is_found(
    change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_component(LeakyParams, only="golden-keys", golden=spoilt(change))


def test_golden_keys_of_a_configuration_that_is_gone_are_refused() -> None:
    golden = {**spoilt(lambda state: None), "encoder/leaky:old": {}}
    with pytest.raises(ValueError, match="have `encoder/leaky:old`, which is not a configuration"):
        check_component(LeakyParams, golden=golden)


def test_a_failure_of_golden_keys_is_tried_again_with_their_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    file = tmp_path / "golden.json"
    file.write_text(json.dumps(spoilt(lambda state: state.pop("out.bias"))))
    [found] = check_component(LeakyParams, only="golden-keys", golden=file, raises=False).results
    assert f"--golden {file}" in found.replay
    with pytest.raises(SystemExit):
        main(shlex.split(found.replay)[2:])
    assert "['out.bias'] must not join the state" in capsys.readouterr().out


# names that another process can import


def test_a_class_is_named_by_its_module_where_a_fresh_process_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = "kokoro_plugins.transformer.params:TransformerEncoderParams"
    monkeypatch.chdir(tmp_path)
    assert name_of(TransformerEncoderParams) == installed
    assert import_class(installed) is TransformerEncoderParams
    assert not is_importable("tests.kokoro_core.testing.faulty")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert roots_of(["tests.kokoro_core.testing.faulty", "torch", "json"]) == [str(ROOT)]
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([".", str(tmp_path), str(ROOT)]))
    assert not is_importable("tests.kokoro_core.testing.faulty")
    assert roots_of(["tests.kokoro_core.testing.faulty"]) == [str(ROOT), str(tmp_path)]
    assert roots_of(["torch"]) == []


def test_a_class_of_a_file_is_named_by_the_file(tmp_path: Path) -> None:
    (tmp_path / "acme_of_a_file.py").write_text(
        "from tests.kokoro_core.testing.faulty import LeakyParams\n"
        "class AcmeParams(LeakyParams): ...\n"
    )
    name = f"{tmp_path}/acme_of_a_file.py:AcmeParams"
    found = import_class(name)
    assert issubclass(found, LeakyParams)
    sys.modules.pop("acme_of_a_file")
    sys.path.remove(str(tmp_path))


def test_a_class_that_is_local_to_a_function_has_no_name() -> None:
    class Local(LeakyParams):
        """Here only."""

    assert name_of(Local) is None
    [result] = check_component(Local, only=LEAK, raises=False).results
    assert (result.status, result.replay) == ("failed", "")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acme_is_nowhere:X", "`acme_is_nowhere` is not a module that can be imported in"),
        ("nowhere.py:X", r"`nowhere.py` does not exist"),
        ("json:X", "`json` has no `X`"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        import_class(name)


def test_the_kit_s_door_imports_no_torch_by_its_name_alone() -> None:
    plugin = "kokoro_core.testing.pytest_support.plugin"
    code = f"import sys, kokoro_core.testing, {plugin}; print([*sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "hypothesis", "pydantic", "numpy"} & set(eval(ran.stdout))
