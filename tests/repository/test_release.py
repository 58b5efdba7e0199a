"""What a release is known by: its license, number, date, changelog, citation and classifiers."""

from __future__ import annotations

import datetime
import hashlib
import re

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.repository.reading import project, pyproject, text_of, yaml_of

APACHE = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""SHA-256 of the text that the Apache Software Foundation publishes as LICENSE-2.0.txt."""

HEADING = re.compile(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", re.M)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
LANGUAGE = "Programming Language :: Python :: "


def releases() -> list[tuple[str, str]]:
    """Return number and date of each release in the changelog, the newest first."""
    first, *rest = HEADING.findall(text_of("CHANGELOG.md"))
    assert first == ("Unreleased", "")
    return rest


def test_the_license_is_the_whole_text_of_apache_2() -> None:
    text = text_of("LICENSE")
    assert text.split("\n")[1:3] == [
        "                                 Apache License".ljust(47),
        "                           Version 2.0, January 2004",
    ]
    assert len(text.encode()) == 11358
    assert hashlib.sha256(text.encode()).hexdigest() == APACHE


def test_the_license_is_said_alike_wherever_it_is_said() -> None:
    assert project()["license"] == "Apache-2.0" == yaml_of("CITATION.cff")["license"]
    assert project()["license-files"] == ["LICENSE"]
    assert "Apache-2.0" in text_of("CONTRIBUTING.md")


def test_no_classifier_names_a_license() -> None:  # build backends refuse both in one project
    assert not [each for each in project()["classifiers"] if each.startswith("License ::")]


def test_version_and_date_are_those_of_the_newest_release() -> None:
    (version, date), *_ = releases()
    citation = yaml_of("CITATION.cff")
    assert version == project()["version"] == citation["version"]
    released = citation["date-released"]
    assert isinstance(released, datetime.date)
    assert released.isoformat() == date


def test_releases_go_down_in_number_and_date() -> None:
    keys = [(Version(version), datetime.date.fromisoformat(date)) for version, date in releases()]
    assert keys == sorted(keys, reverse=True)
    assert len({version for version, _ in keys}) == len(keys)


def test_the_changelog_has_the_kinds_of_change_that_its_form_has() -> None:
    text = text_of("CHANGELOG.md")
    assert len(re.findall(r"^## ", text, re.M)) == len(releases()) + 1
    kinds = re.findall(r"^### (.+)$", text, re.M)
    assert kinds
    assert set(kinds) <= KINDS


def test_the_citation_says_what_a_citation_must() -> None:
    citation = yaml_of("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == project()["authors"] == [{"name": "The Kokoro authors"}]
    assert citation["keywords"] == project()["keywords"] == sorted(project()["keywords"])


def test_the_classifiers_of_python_reach_from_the_oldest_to_the_newest_that_ci_runs() -> None:
    named = [
        each.removeprefix(LANGUAGE) for each in project()["classifiers"] if LANGUAGE + "3." in each
    ]
    ci = yaml_of(".github/workflows/ci.yml")["jobs"]["run"]["strategy"]["matrix"]["python"]
    assert [named[0], named[-1]] == ci
    minors = [Version(each).minor for each in named]
    assert minors == list(range(minors[0], minors[-1] + 1))


def test_the_oldest_python_is_the_same_for_pip_ruff_and_ci() -> None:
    required = SpecifierSet(project()["requires-python"])
    oldest = yaml_of(".github/workflows/ci.yml")["jobs"]["run"]["strategy"]["matrix"]["python"][0]
    minor = Version(oldest).minor
    assert required.contains(f"3.{minor}")
    assert not required.contains(f"3.{minor - 1}")
    assert pyproject()["tool"]["ruff"]["target-version"] == f"py3{minor}"


def test_the_changelog_says_nothing_twice() -> None:
    """Entries are told apart by how they begin, as two versions of one entry would begin alike."""
    text = text_of("CHANGELOG.md")
    begun = [" ".join(each.split())[:60] for each in re.split(r"(?m)^- ", text)[1:]]
    assert [each for each in begun if begun.count(each) > 1] == []
