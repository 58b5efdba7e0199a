"""CONTRIBUTING names what is there: paths, sessions, files; the policy names the versions."""

from __future__ import annotations

import re

import pytest

from tests.repository.reading import ROOT, text_of
from tests.repository.test_noxfile import sessions

PATH = re.compile(r"`((?:registry|kokoro_core|kokoro_plugins|tests|docs|\.ci|\.github)/[^`\s]*)`")
ROW = re.compile(r"^\| (.+?) \| (.+) \|$", re.M)
GUIDE = text_of("CONTRIBUTING.md")
PAGES = ("CONTRIBUTING.md", ".github/SECURITY.md", ".github/pull_request_template.md")


def places() -> dict[str, str]:
    """Return the table of where things are: what somebody wants, and the place."""
    table = GUIDE.partition("| I want to … | the one place |\n| --- | --- |\n")[2].partition("\n\n")
    return dict(ROW.findall(table[0]))


@pytest.mark.parametrize("wish", places())
def test_a_wish_has_a_place_that_exists(wish: str) -> None:
    place = places()[wish]
    links = re.findall(r"\]\(([^)#]+)", place)
    named = [*PATH.findall(place), *links]
    assert named, f"{wish!r} names no place"
    assert [each for each in named if not (ROOT / each).exists()] == []


@pytest.mark.parametrize(
    "wish", ["slot", "stop rule", "optimizer", "command", "tensor", "checkpoint", "attention",
             "public", "who may import whom", "component", "whole package", "aligner", "vocoder",
             "frontend", "corpus", "importer", "export", "voice", "schedule", "objective",
             "measure", "extra"],
)  # fmt: skip
def test_what_newcomers_look_for_is_in_the_table(wish: str) -> None:
    assert [each for each in places() if wish in each], f"no row tells of {wish!r}"


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    named = [*PATH.findall(text_of(page)), *re.findall(r"`(\.ci/\w+|[\w.]+\.toml)`", text_of(page))]
    assert named or page.endswith("SECURITY.md")
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_a_path_that_does_not_exist_would_be_found() -> None:
    assert PATH.findall("`kokoro_core/gone.py`, `tests/` and `python -m build`") == [
        "kokoro_core/gone.py",
        "tests/",
    ]
    assert not (ROOT / "kokoro_core/gone.py").exists()


def test_the_set_up_is_three_commands_and_installs_as_the_readme_does() -> None:
    [block] = re.findall(r"```sh\n(.*?)```", GUIDE, re.S)
    commands = block.splitlines()
    assert len(commands) == 3
    assert f"{commands[1]} && {commands[2]}" in text_of("README.md")


def test_the_guide_names_every_session_and_no_other() -> None:
    assert set(re.findall(r"nox -s (\w+)", GUIDE)) == set(sessions())


def test_a_release_names_the_files_that_carry_the_version() -> None:
    release = GUIDE.partition("## How a release is made")[2]
    for name in ("pyproject.toml", "CITATION.cff", "CHANGELOG.md"):
        assert f"`{name}`" in release
        assert (ROOT / name).is_file()


@pytest.mark.parametrize("word", ["KOKORO_API", "DeprecationWarning", "one release", "import path"])
def test_the_policy_tells_of_what_it_must(word: str) -> None:
    assert word in text_of("docs/versioning.md")


@pytest.mark.parametrize(
    "field", ["Version", "System", "Door", "Effect", "Reproduction", "Address"]
)
def test_a_report_of_a_vulnerability_has_a_form(field: str) -> None:
    assert f"\n- **{field}**" in text_of(".github/SECURITY.md")
