"""The workflow, the forms and the other files that GitHub reads, and the hooks of pre-commit."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest

from tests.repository.reading import ROOT, project, pyproject, text_of, yaml_of

FORMS = ("bug", "feature")
FIELDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}
WORKFLOW = yaml_of(".github/workflows/ci.yml")
JOB = WORKFLOW["jobs"]["run"]


def test_every_file_for_github_that_is_yaml_can_be_read() -> None:
    files = sorted(
        each for each in (ROOT / ".github").rglob("*") if each.suffix in {".yml", ".yaml"}
    )
    assert len(files) == 5
    for file in files:
        assert yaml_of(file.relative_to(ROOT).as_posix())


# the workflow


def test_ci_runs_on_three_systems_and_two_pythons() -> None:
    matrix = JOB["strategy"]["matrix"]
    assert set(matrix) == {"os", "python"}  # neither `exclude` nor `include`
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert len(set(matrix["python"])) == 2
    assert all(isinstance(each, str) for each in matrix["python"])  # 3.10 would be read as 3.1
    assert JOB["runs-on"] == "${{ matrix.os }}"
    assert JOB["strategy"]["fail-fast"] is False


def test_the_workflow_calls_the_script_in_bash_with_the_python_of_the_matrix() -> None:
    *_, python, script = JOB["steps"]
    assert python["uses"].startswith("actions/setup-python@")
    assert python["with"]["python-version"] == "${{ matrix.python }}"
    assert script == {"run": "bash .ci/run", "shell": "bash", "env": {"PYTHON": "python"}}
    assert (ROOT / ".ci" / "run").is_file()


def test_the_workflow_runs_on_changes_of_main_and_on_proposals() -> None:
    assert WORKFLOW["on"]["push"] == {"branches": ["main"]}
    assert "pull_request" in WORKFLOW["on"]


def test_the_workflow_may_read_and_no_more() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not [job for job in WORKFLOW["jobs"].values() if "permissions" in job]
    assert "secrets." not in text_of(".github/workflows/ci.yml")


@pytest.mark.parametrize("name", sorted(WORKFLOW["jobs"]))
def test_a_job_ends_by_itself_and_pins_what_it_uses(name: str) -> None:
    job = WORKFLOW["jobs"][name]
    assert 0 < job["timeout-minutes"] <= 90
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used[0].startswith("actions/checkout@")
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+", each)] == []


def test_the_workflow_and_its_script_name_no_host() -> None:
    workflows = (".github/workflows/ci.yml", ".github/workflows/release.yml")
    for path in (*workflows, ".ci/run", "noxfile.py", ".pre-commit-config.yaml"):
        assert re.findall(r"https?://|--(?:extra-)?index-url|\bpypi\.", text_of(path)) == [], path


def test_a_release_is_tried_on_three_systems_with_every_python_that_the_project_names() -> None:
    workflow = yaml_of(".github/workflows/release.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["on"]["push"] == {"tags": ["v*"]}
    [job] = workflow["jobs"].values()
    matrix = job["strategy"]["matrix"]
    assert matrix["os"] == JOB["strategy"]["matrix"]["os"]
    named = [f"Programming Language :: Python :: {each}" for each in matrix["python"]]
    assert set(named) <= set(project()["classifiers"])
    assert {*JOB["strategy"]["matrix"]["python"]} <= {*matrix["python"]}
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert runs == ["python -m pip install nox", "nox -s release"]
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", each) for each in used)


def test_coverage_is_measured_in_ci() -> None:
    runs = [step["run"] for step in WORKFLOW["jobs"]["coverage"]["steps"] if "run" in step]
    assert runs == ["python -m pip install nox", "nox -s coverage"]
    settings = pyproject()["tool"]["coverage"]["run"]
    assert settings["source_pkgs"] == ["registry", "kokoro_core", "kokoro_plugins"]
    assert settings["branch"] is True
    assert any(each.startswith("coverage>=") for each in project()["optional-dependencies"]["test"])


def test_line_ends_are_the_same_on_every_system() -> None:  # bash reads no `\r`
    assert "* text=auto eol=lf" in text_of(".gitattributes").splitlines()


# issues and proposals


@pytest.mark.parametrize("form", FORMS)
def test_a_form_for_issues_has_what_github_asks_of_one(form: str) -> None:
    values = yaml_of(f".github/ISSUE_TEMPLATE/{form}.yml")
    assert (
        {"name", "description", "body"} <= set(values) <= {"name", "description", "body", "labels"}
    )
    assert {each["type"] for each in values["body"]} <= FIELDS
    fields = [each for each in values["body"] if each["type"] != "markdown"]
    identifiers = [each["id"] for each in fields]
    labels = [each["attributes"]["label"] for each in fields]
    assert len(set(identifiers)) == len(identifiers) > 0
    assert len(set(labels)) == len(labels)
    for each in fields:
        check_field(each)


def check_field(field: dict[str, Any]) -> None:
    """Check a field of a form: known keys, text where GitHub wants text, two options at least."""
    assert set(field) <= {"type", "id", "attributes", "validations"}
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", field["id"])
    assert set(field.get("validations", {})) <= {"required"}
    if field["type"] == "dropdown":
        options = field["attributes"]["options"]
        assert len(options) >= 2
        assert all(isinstance(each, str) for each in options)


def test_no_issue_goes_past_the_forms() -> None:
    assert yaml_of(".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": False}
    found = {each.stem for each in (ROOT / ".github" / "ISSUE_TEMPLATE").iterdir()}
    assert found == {*FORMS, "config"}


def test_a_bug_report_asks_for_versions_processor_and_reference() -> None:
    body = yaml_of(".github/ISSUE_TEMPLATE/bug.yml")["body"]
    required = {each["id"] for each in body if each.get("validations", {}).get("required") is True}
    assert {"steps", "seen", "expected", "versions", "system", "reference"} <= required


def test_every_file_has_an_owner() -> None:
    lines = [
        each for each in text_of(".github/CODEOWNERS").splitlines() if not each.startswith("#")
    ]
    rules = [each.split() for each in lines if each]
    assert rules[0][0] == "*"
    for pattern, *owners in rules:
        assert owners
        assert all(re.fullmatch(r"@[\w-]+/[\w-]+", each) for each in owners), owners
        assert pattern == "*" or (ROOT / pattern.strip("/")).exists()


def test_a_proposal_is_asked_for_tests_pages_and_deprecations() -> None:
    text = text_of(".github/pull_request_template.md")
    for word in ("`.ci/run`", "`docs/`", "changelog", "DeprecationWarning"):
        assert word in text


# pre-commit


def test_the_hooks_are_those_of_the_environment_so_that_versions_agree_with_ci() -> None:
    [repository] = yaml_of(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    hooks = {each["id"]: each for each in repository["hooks"]}
    assert set(hooks) == {"ruff-check", "ruff-format", "mypy"}
    for each in hooks.values():
        assert each["language"] == "system"
        program = each["entry"].split()[0]
        assert program in text_of(".ci/run")
        assert shutil.which(program), f"{program} is not in the environment"
    assert hooks["mypy"]["pass_filenames"] is False  # it checks the packages as a whole
    assert "--check" in hooks["ruff-format"]["entry"].split()  # what is staged is left as it is
