"""The sessions of nox, read from the source: what they install and run is there."""

from __future__ import annotations

import ast
import io
import re
import sys
import tarfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.repository.reading import ROOT, project, text_of

SOURCE = text_of("noxfile.py")
TREE = ast.parse(SOURCE)


def sessions() -> dict[str, ast.FunctionDef]:
    """Return the functions with the decorator `nox.session`."""
    return {
        each.name: each
        for each in TREE.body
        if isinstance(each, ast.FunctionDef)
        and "nox.session" in [ast.unparse(decorator) for decorator in each.decorator_list]
    }


def calls(session: ast.FunctionDef, name: str) -> list[list[str]]:
    """Return the plain words of each call of a function in a session."""
    return [
        [str(word.value) for word in node.args if isinstance(word, ast.Constant)]
        for node in ast.walk(session)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name
    ]


def test_there_is_a_session_for_each_thing_that_is_looked_after() -> None:
    assert list(sessions()) == [
        *("tests", "lint", "types", "docs", "bench", "coverage", "fixtures", "editor", "release")
    ]


@pytest.mark.parametrize("name", sessions())
def test_a_session_says_what_it_does_and_runs_something(name: str) -> None:
    session = sessions()[name]
    assert ast.get_docstring(session)
    assert calls(session, "session.run")


@pytest.mark.parametrize("name", sessions())
def test_a_session_installs_extras_that_exist_at_pinned_versions(name: str) -> None:
    session = sessions()[name]
    installed = [extra for [extra] in calls(session, "install")]
    assert set(installed) <= set(project()["optional-dependencies"])
    by_hand = calls(session, "session.install")
    assert bool(installed) != bool(by_hand), "a session installs either an extra or tools"
    for words in by_hand:
        assert words[:2] == ["-c", "constraints.txt"]
        for tool in (each for each in words[2:] if each != "--no-deps"):
            assert re.search(rf"^{tool}==", text_of("constraints.txt"), re.M), f"{tool} has no pin"


def test_extras_are_installed_at_pinned_versions() -> None:
    [helper] = [
        each for each in TREE.body if isinstance(each, ast.FunctionDef) and each.name == "install"
    ]
    assert calls(helper, "session.install") == [["-c", "constraints.txt", "-e"]]


def test_the_sessions_of_ci_s_stages_run_what_the_stages_run() -> None:
    stages = re.findall(r'^stage "[^"]*" ((?:ruff|mypy|python).*)$', text_of(".ci/run"), re.M)
    ran = {
        " ".join(words)
        for name in ("lint", "types", "docs", "tests")
        for words in calls(sessions()[name], "session.run")
    }
    assert {each.partition(" --quiet")[0] for each in stages} <= ran
    assert ran - {*stages} == {"python -m mkdocs build --strict", "python -m pytest tests/docs"}


def test_what_runs_without_a_name_are_sessions() -> None:
    [default] = re.findall(r"^nox\.options\.sessions = (\[.*\])$", SOURCE, re.M)
    assert set(ast.literal_eval(default)) <= set(sessions())


def test_coverage_is_of_one_process_since_workers_would_not_be_traced() -> None:
    first, second = calls(sessions()["coverage"], "session.run")
    assert first == ["coverage", "run", "-m", "pytest", "-n", "0"]
    assert second == ["coverage", "report"]


@pytest.fixture
def noxfile(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The file with a stand-in for nox, which the tests do without."""
    nox = ModuleType("nox")
    nox.session = lambda function: function  # type: ignore[attr-defined]
    nox.Session = object  # type: ignore[attr-defined]
    nox.options = SimpleNamespace()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nox", nox)
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {"__name__": "noxfile"}
    exec(compile(SOURCE, "noxfile.py", "exec"), names)
    return names


def write_archive(path: Path, moment: int, names: list[str], owner: str) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            entry = tarfile.TarInfo(f"x-1/{name}")
            entry.size, entry.mtime, entry.uname, entry.uid = len(name), moment, owner, moment
            entry.mode = 0o700 if name == "run" else 0o640
            archive.addfile(entry, io.BytesIO(name.encode()))


def test_two_builds_of_the_same_files_are_the_same_archive(
    noxfile: dict[str, Any], tmp_path: Path
) -> None:
    paths = [tmp_path / name / "x-1.tar.gz" for name in ("first", "second")]
    for moment, (path, names) in enumerate(zip(paths, (["a", "run"], ["run", "a"]), strict=True)):
        path.parent.mkdir()
        write_archive(path, moment, names, owner=f"user{moment}")
        noxfile["without_its_moment"](path, 1_700_000_000)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    source = noxfile["unpacked"](paths[0], tmp_path / "source")
    assert (source / "run").read_text() == "run"
    assert (source / "a").stat().st_mtime == 1_700_000_000
    assert (source / "run").stat().st_mode & 0o100
    assert not (source / "a").stat().st_mode & 0o100


def test_the_lowest_versions_are_of_what_users_need_and_not_of_tools(
    noxfile: dict[str, Any],
) -> None:
    pinned = {each.partition("==")[0] for each in noxfile["pinned_tools"]()}
    assert {"mypy", "ruff", "pytest-xdist", "setuptools"} <= pinned
    assert not {"pydantic", "numpy", "typer", "lightning", "pytest", "hypothesis"} & pinned


def test_a_release_is_checked_and_tried_in_both_forms() -> None:
    ran = {words[0] for words in calls(sessions()["release"], "session.run")}
    assert ran == {"twine", "check-wheel-contents"}
    assert calls(sessions()["release"], "try_out") == [["lowest-direct"], ["highest"]]
