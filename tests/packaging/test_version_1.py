"""Packages that the scaffold made at version 1 of the contracts pass their own suites unchanged."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.packaging import overlay

pytestmark = pytest.mark.slow

PACKAGES = sorted(Path(__file__).with_name("version_1").iterdir())


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest prints of all suites, run in one environment that has the packages installed."""
    home, folder = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("version_1")
    sources = [shutil.copytree(each, folder / each.name) for each in PACKAGES]
    installed = overlay.installed(sources, home, folder)
    quick = ("--conformance-level", "fast", "-p", "no:cacheprovider", "-rA")
    suites = [f"{each.name}/tests" for each in PACKAGES]
    options = ("-q", "--import-mode=importlib", "--rootdir=.", *quick)  # files share their names
    return installed.run("-m", "pytest", *options, *suites)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda each: each.name)
def test_a_package_of_version_1_passes_its_own_suite(package: Path, printed: str) -> None:
    assert "KOKORO_API = 1" in "".join(
        file.read_text(encoding="utf-8") for file in package.glob("acme_*/plugin.py")
    )
    ended = re.findall(rf"^(\w+) {package.name}/tests/(\w+\.py)::", printed, re.MULTILINE)
    assert {file for _, file in ended} == {file.name for file in package.glob("tests/test_*.py")}
    assert {status for status, _ in ended} == {"PASSED"}, printed
