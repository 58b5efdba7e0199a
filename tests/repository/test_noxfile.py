"""The sessions of nox, read from the source: what they install and run is there."""

from __future__ import annotations

import ast
import re

import pytest

from tests.repository.reading import project, text_of

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
        *("tests", "lint", "types", "docs", "bench", "coverage", "fixtures", "editor")
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
