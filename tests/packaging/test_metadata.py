"""What the distribution says of itself, what its wheel holds, and what `constraints.txt` pins."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from email import message_from_string
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PACKAGES = ("registry", "kokoro_core", "kokoro_plugins")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
TEST_INSTALL = "python -m pip install -c constraints.txt -e '.[test]'"
DEMO_INSTALL = "python -m pip install -c constraints.txt '.[all]'"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy so that nothing is left in the repository."""
    copy = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(copy)]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    [file] = (copy / "dist").glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.fixture(scope="module")
def wheel_metadata(wheel: zipfile.ZipFile) -> Message:
    return message_from_string(read_from_dist_info(wheel, "METADATA"))


def read_from_dist_info(wheel: zipfile.ZipFile, name: str) -> str:
    [found] = [each for each in wheel.namelist() if each.endswith(f".dist-info/{name}")]
    return wheel.read(found).decode()


def pins() -> dict[str, Version]:
    """Return what `constraints.txt` pins; anything but ``name==version`` fails."""
    found: dict[str, Version] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][0-9A-Za-z.]*)", line)
        assert match, f"{line!r} is no plain pin"
        name = canonicalize_name(match[1])
        assert name not in found, f"{name} is pinned twice"
        found[name] = Version(match[2])
    return found


def requirements(*extras: str) -> list[Requirement]:
    """Return the direct requirements of the project and of extras, without itself."""
    texts = [*PROJECT["dependencies"], *(text for each in extras for text in EXTRAS[each])]
    found = [Requirement(text) for text in texts]
    return [each for each in found if each.name != PROJECT["name"]]


# the wheel


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    info = f"kokoro_core-{PROJECT['version']}.dist-info"
    assert tops == {*PACKAGES, info}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_holds_every_file_of_a_package(wheel: zipfile.ZipFile, package: str) -> None:
    written = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert f"{package}/py.typed" in written
    assert written == {name for name in wheel.namelist() if name.startswith(f"{package}/")}


def test_the_wheel_holds_the_named_specs(wheel: zipfile.ZipFile) -> None:
    folder = "kokoro_plugins/transformer/specs/"
    specs = {Path(name).stem for name in wheel.namelist() if name.startswith(folder)}
    assert {"small", "base", "default", "voice", "parallel", "mixed"} <= specs


def test_the_wheel_has_the_entry_points_of_the_project(wheel: zipfile.ZipFile) -> None:
    parser = ConfigParser()
    parser.read_string(read_from_dist_info(wheel, "entry_points.txt"))
    assert dict(parser["kokoro.plugins"]) == PROJECT["entry-points"]["kokoro.plugins"]
    assert dict(parser["pytest11"]) == PROJECT["entry-points"]["pytest11"]
    assert dict(parser["console_scripts"]) == PROJECT["scripts"]


def test_the_wheel_shows_the_readme_and_the_python_that_it_needs(wheel_metadata: Message) -> None:
    assert wheel_metadata["Requires-Python"] == ">=3.11"
    assert wheel_metadata["Description-Content-Type"] == "text/markdown"
    body = wheel_metadata.get_payload()
    assert isinstance(body, str)
    assert body.strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()


def test_the_wheel_holds_the_license_and_names_it(
    wheel: zipfile.ZipFile, wheel_metadata: Message
) -> None:
    assert wheel_metadata["License-Expression"] == "Apache-2.0"
    assert wheel_metadata.get_all("License-File") == ["LICENSE"]
    text = read_from_dist_info(wheel, "licenses/LICENSE")
    assert text == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_the_wheel_says_whose_it_is_and_what_for(wheel_metadata: Message) -> None:
    assert wheel_metadata["Author"] == "The Kokoro authors"
    assert set(wheel_metadata["Keywords"].split(",")) == set(PROJECT["keywords"])
    assert wheel_metadata.get_all("Classifier") == PROJECT["classifiers"]


def test_the_wheel_offers_the_extras(wheel_metadata: Message) -> None:
    assert set(wheel_metadata.get_all("Provides-Extra", [])) == set(EXTRAS)


# entry points


@pytest.mark.parametrize("name", sorted(PROJECT["entry-points"]["kokoro.plugins"]))
def test_an_entry_point_leads_to_a_plugin_that_implements_a_hook(name: str) -> None:
    [point] = [
        each
        for each in metadata.entry_points(group="kokoro.plugins", name=name)
        if each.dist is not None and each.dist.name == PROJECT["name"]
    ]
    plugin = point.load()
    hooks = [each for each in vars(plugin) if each.startswith("kokoro_")]
    assert hooks, f"{point.value} implements no hook"


def test_every_plugin_folder_has_an_entry_point() -> None:
    folders = {file.parent.name for file in (ROOT / "kokoro_plugins").glob("*/plugin.py")}
    targets = PROJECT["entry-points"]["kokoro.plugins"]
    plugins = {name: f"kokoro_plugins.{name}.plugin" for name in folders}
    assert {**plugins, "core": "kokoro_core.cli.plugin"} == targets


def test_the_script_leads_to_the_command_line() -> None:
    [script] = metadata.entry_points(group="console_scripts", name="kokoro-core")
    assert callable(script.load())


# requirements


def test_the_project_asks_for_ranges_and_pins_nothing() -> None:
    for each in requirements(*EXTRAS):
        operators = {specifier.operator for specifier in each.specifier}
        assert ">=" in operators, f"{each} has no lower bound"
        assert "==" not in operators, f"{each} is pinned; pins belong in constraints.txt"


def test_all_brings_every_extra_but_the_tools_to_test_and_measure() -> None:
    [requirement] = [Requirement(text) for text in EXTRAS["all"]]
    assert requirement.name == PROJECT["name"]
    measured_with = {"bench", "conformance", "docs", "second-voice", "test"}
    assert requirement.extras == set(EXTRAS) - {"all", *measured_with}


def test_the_test_extra_brings_what_the_tests_run() -> None:
    texts = [*EXTRAS["test"], *EXTRAS["conformance"]]
    names = {Requirement(text).name for text in texts}
    assert {"pytest", "hypothesis", "mypy", "ruff", "build", "setuptools"} <= names
    assert any({"conformance", "train"} <= Requirement(text).extras for text in EXTRAS["test"])


# constraints


def test_torch_is_pinned_to_the_tested_version() -> None:
    assert pins()["torch"] == Version("2.13.0")


def test_every_direct_requirement_is_pinned_within_its_range() -> None:
    found = pins()
    for each in requirements(*EXTRAS):
        name = canonicalize_name(each.name)
        assert name in found, f"{name} is not in constraints.txt"
        assert each.specifier.contains(found[name]), f"{name} {found[name]} is not in {each}"


def test_every_transitive_requirement_is_pinned() -> None:
    missing = {
        name: parent for name, parent in transitive_requirements().items() if name not in pins()
    }
    assert not missing, f"not in constraints.txt, with who wants them: {missing}"


def transitive_requirements() -> dict[str, str]:
    """Return what the packages of the extra `test` ask for in turn, each with who asks.

    What a package pins itself is left out: torch asks for the exact versions of CUDA's wheels.
    """
    asked: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    extras = with_those_inside("test")
    todo = [(each.name, extra) for each in requirements(*extras) for extra in ("", *each.extras)]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for text in metadata.requires(name) or ():
            each = Requirement(text)
            wanted = each.marker is None or each.marker.evaluate({"extra": extra})
            pinned = any(specifier.operator == "==" for specifier in each.specifier)
            if wanted and not pinned:
                asked[canonicalize_name(each.name)] = name
                todo += [(each.name, further) for further in ("", *each.extras)]
    return asked


def with_those_inside(extra: str) -> set[str]:
    """Return an extra and those of our own that it brings, at any depth."""
    asked = [Requirement(text) for text in EXTRAS[extra]]
    inside = [each.extras for each in asked if each.name == PROJECT["name"]]
    return {extra}.union(*(with_those_inside(name) for names in inside for name in names))


# the two commands


def test_the_readme_has_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{DEMO_INSTALL} && kokoro-core demo" in readme
    assert f"{TEST_INSTALL} && python -m pytest -n 2" in readme


def test_ci_installs_as_the_readme_says_and_checks_lint_types_and_tests() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    lines = [line.strip().replace(" --quiet", "") for line in script.splitlines()]
    site = 'python -m mkdocs build --strict --site-dir "$KOKORO_SITE"'
    stages = ["install", "ruff check .", "ruff format --check .", "mypy", site]
    found = [re.sub(r'^stage "[^"]*" ', "", line) for line in lines if line.startswith("stage ")]
    assert found[:6] == [*stages, "python -m pytest -n auto --maxprocesses=4 --durations=30"]
    assert TEST_INSTALL in lines
    assert "set -euo pipefail" in lines


def test_ci_runs_the_numerics_as_less_of_a_processor_too() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "numerics KOKORO_CPU=avx2 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2" in script
    assert "numerics KOKORO_CPU=none ONEDNN_MAX_CPU_ISA=SSE41 ATEN_CPU_CAPABILITY=default" in script
    assert "numerics KOKORO_KERNELS=reference" in script


def test_ci_is_executable() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
