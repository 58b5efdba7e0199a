"""The door for pytest: what becomes of each outcome, and what a test file that uses it prints."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from kokoro_core.testing import ConformanceWarning, conformance, conformance_test
from kokoro_core.testing.checks import find_checks
from kokoro_core.testing.engine.component import plan_of
from kokoro_core.testing.pytest_support.checks import BoundCheck, bound_checks
from kokoro_core.testing.pytest_support.markers import Request
from kokoro_core.testing.subjects.subject import Subject
from kokoro_plugins.transformer.params import MlpParams
from tests.kokoro_core.testing.faulty import LeakyParams

pytestmark = pytest.mark.same_everywhere

ROOT = Path(__file__).parents[3]


def bound(check: str, subject: Subject | None = None, **plan: Any) -> BoundCheck:
    [found] = find_checks([check]).values()
    return BoundCheck(subject or Subject(LeakyParams()), found, plan_of("fast", **plan))


# outcomes


def test_a_broken_promise_fails_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(pytest.fail.Exception, match=r"replay: .*kokoro-core conformance") as failed:
        bound("row-alone")()
    assert not failed.value.pytrace


def test_a_kept_promise_passes() -> None:
    tried = []
    kept = bound("shapes")
    honest = kept.check.holds

    def holds(subject: Subject, data: Any) -> None:
        honest(subject, data)
        tried.append(data)

    try:
        replace(kept, check=replace(kept.check, holds=holds))()
    except (pytest.skip.Exception, pytest.xfail.Exception) as other:
        pytest.fail(f"a kept promise must pass, not end as {other!r}")
    assert tried


def test_an_expected_failure_is_one_and_a_pass_in_its_place_fails() -> None:
    with pytest.raises(pytest.xfail.Exception, match="known"):
        bound("row-alone", expected={"row-alone": "known"})()
    with pytest.raises(pytest.fail.Exception, match="passes, though it was announced to fail"):
        bound("shapes", expected={"shapes": "known"})()


def test_a_property_that_does_not_hold_for_a_component_is_skipped() -> None:
    with pytest.raises(pytest.skip.Exception, match="no golden keys are given"):
        bound("golden-keys")()


def test_a_newer_check_that_fails_only_warns() -> None:
    old = bound("row-alone")
    newer = replace(old, check=replace(old.check, since=2))
    with pytest.warns(ConformanceWarning, match="since version 2: encoder/leaky row-alone"):
        newer()
    with warnings.catch_warnings(action="error"):
        replace(bound("shapes"), check=replace(bound("shapes").check, since=2))()


def test_a_case_of_another_kind_fails_clearly() -> None:
    with pytest.raises(pytest.fail.Exception, match="is not a case of `row-alone`; one is"):
        bound("row-alone", case='{"x": 1}')()


def test_a_failure_of_a_class_that_nobody_can_import_names_the_test() -> None:
    class Local(LeakyParams):
        """Here only."""

    with pytest.raises(pytest.fail.Exception) as failed:
        bound("row-alone", Subject(Local()))()
    replay = str(failed.value).rpartition("replay: ")[2]
    words = shlex.split(replay)
    assert words[:3] == ["python", "-m", "pytest"]
    assert words[3].startswith(f"{Path.cwd()}/")
    assert words[3].endswith("::test_a_failure_of_a_class_that_nobody_can_import_names_the_test")
    assert words[4] == "--conformance-case"
    assert set(json.loads(words[5])) == {"lengths", "extra", "seed"}


def test_a_request_needs_a_target() -> None:
    with pytest.raises(TypeError, match="`conformance` needs a target"):
        conformance()


# what options and the ini file say


def requested(
    request: Request, options: Mapping[str, Any] | None = None, **ini: str
) -> list[BoundCheck]:
    """Return the checks of a request under options of the command line and of the ini file."""
    said = {f"conformance_{name}": each for name, each in (options or {}).items()}
    config = SimpleNamespace(
        getoption=said.get,
        getini=lambda name: {"conformance_level": "fast", "conformance_version": "", **ini}[name],
        rootpath=ROOT,
    )
    definition = SimpleNamespace(path=Path(__file__))
    metafunc: Any = SimpleNamespace(config=config, definition=definition)
    return bound_checks(request, metafunc)


def test_the_command_line_wins_over_the_decorator_and_that_over_the_ini_file() -> None:
    def level(options: Mapping[str, Any], own: Any, ini: str) -> str:
        request = Request((LeakyParams,), level=own)
        return requested(request, options, conformance_level=ini)[0].plan.level.name

    assert level({"level": "nightly"}, "ci", "fast") == "nightly"
    assert level({}, "ci", "fast") == "ci"
    assert level({}, None, "ci") == "ci"


def test_at_level_ci_every_configuration_is_a_subject() -> None:
    names = {each.subject.name for each in requested(Request((LeakyParams,), level="ci"))}
    assert names == {"encoder/leaky", "encoder/leaky:loud"}
    [name] = {each.subject.name for each in requested(Request((LeakyParams,)))}
    assert name == "encoder/leaky"


def test_settings_of_one_name_are_told_apart() -> None:
    request = Request((MlpParams(), MlpParams(dropout=0.3)))
    names = {each.subject.name for each in requested(request)}
    assert names == {"duration_predictor/mlp", "duration_predictor/mlp:2"}


def test_a_case_and_a_version_reach_the_checks() -> None:
    [bound, *_] = requested(Request((LeakyParams,)), {"case": "{}", "version": 1})
    assert (bound.plan.case, bound.plan.version) == ("{}", 1)
    assert requested(Request((LeakyParams,)), conformance_version="1")[0].plan.version == 1
    with pytest.raises(ValueError, match="`conformance_version` must be a number, not `new`"):
        requested(Request((LeakyParams,)), conformance_version="new")
    with pytest.raises(ValueError, match="has the versions 1 to 2, not 7"):
        requested(Request((LeakyParams,), version=7))


# the plugin at work, here and in other projects

test_positions = conformance_test("positional_encoding/none", level="ci")


@conformance("regulator/repeat", MlpParams(dropout=0.3))
def test_names_and_settings_are_targets(check: BoundCheck) -> None:
    assert check.id.startswith(("regulator/repeat-", "duration_predictor/mlp-"))


@dataclass(frozen=True)
class Run:
    """What pytest said in a project of its own."""

    status: int
    text: str
    outcomes: dict[str, str]


def run(folder: Path, *options: str, files: dict[str, str]) -> Run:
    for name, text in files.items():
        (folder / name).write_text(text)
    report = folder / "report.xml"
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
            *options,
        ],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    cases = ElementTree.parse(report).iter("testcase") if report.exists() else ()
    outcomes = {
        case.get("name", ""): next((each.get("type") or each.tag for each in case), "passed")
        for case in cases
    }
    return Run(ran.returncode, ran.stdout + ran.stderr, outcomes)


EMPTY = """
import sys
def pytest_sessionfinish():
    print("LOADED", sorted({"torch", "hypothesis", "pydantic", "numpy"} & set(sys.modules)))
"""


def test_a_project_without_conformance_tests_pays_for_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "--co", "-s", files={"conftest.py": EMPTY, "test_empty.py": ""})
    assert "LOADED []" in done.text


FILES = {
    "pytest.ini": "[pytest]\nfilterwarnings = error\naddopts = --strict-markers -ra\n",
    "conftest.py": """
from hypothesis import settings
settings.register_profile("theirs", max_examples=7)
settings.load_profile("theirs")
def pytest_sessionfinish():
    assert settings().max_examples == 7, "the kit has loaded a profile"
""",
    "acme.py": """
from tests.kokoro_core.testing.faulty import LeakyParams
class AcmeParams(LeakyParams):
    "A leak of one's own."
""",
    "test_acme.py": """
from acme import AcmeParams
from kokoro_core.testing import conformance, conformance_test

test_leak = conformance_test(AcmeParams, golden="golden.json")

@conformance(AcmeParams, expected_failures={"row-alone": "known", "shapes": "not so"})
def test_expected(check):
    check()
""",
    "test_id.py": """
from acme import AcmeParams
from kokoro_core.testing import conformance_test
test_unknown = conformance_test(AcmeParams, expected_failures={"row-alon": "typo"})
""",
    "test_name.py": """
from kokoro_core.testing import conformance_test
test_unknown = conformance_test("encoder/acme")
""",
    "test_argument.py": """
from kokoro_core.testing import conformance
@conformance("regulator/repeat")
def test_without_argument():
    pass
""",
}
CHOICE = ("-k", "row-alone and not training or shapes or golden", "--continue-on-collection-errors")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A project whose golden file is written by two workers, and what they said."""
    folder = tmp_path_factory.mktemp("project")
    options: Sequence[str] = ("-n", "2", "--conformance-write-golden")
    return folder, run(folder, *CHOICE, *options, files=FILES)


def test_every_check_is_a_test_of_its_own_with_a_name_that_stays(project: tuple[Path, Run]) -> None:
    outcomes = project[1].outcomes
    assert outcomes["test_leak[encoder/leaky-shapes]"] == "passed"
    assert outcomes["test_leak[encoder/leaky-row-alone]"] == "failure"
    assert outcomes["test_leak[encoder/leaky-golden-keys]"] == "passed"
    assert outcomes["test_expected[encoder/leaky-row-alone]"] == "pytest.xfail"
    assert outcomes["test_expected[encoder/leaky-shapes]"] == "failure"
    assert "test_expected[encoder/leaky-golden-keys]" not in outcomes  # it has none to hold


def test_a_failure_is_short_and_can_be_tried_again(project: tuple[Path, Run]) -> None:
    text = project[1].text
    path = os.pathsep.join([str(project[0]), str(ROOT)])
    line = f"PYTHONPATH={path} kokoro-core conformance acme:AcmeParams --settings"
    assert f"replay: {line}" in text
    assert "runner.py" not in text
    assert "Traceback" not in text


def test_what_is_written_wrong_is_an_error_of_its_file(project: tuple[Path, Run]) -> None:
    text = project[1].text
    assert "`row-alon` is not a check, did you mean `row-alone`?" in text
    assert "`acme` is not a registered encoder" in text
    assert "`test_without_argument` must take the argument `check`" in text


def test_two_workers_write_one_golden_file(project: tuple[Path, Run]) -> None:
    golden = json.loads((project[0] / "golden.json").read_text())
    assert set(golden) == {"encoder/leaky", "encoder/leaky:loud"}
    assert [each.name for each in project[0].glob("golden*")] == ["golden.json"]
