"""The packages of docs/examples are built, installed and used as their READMEs say."""

from __future__ import annotations

import json
import re
import shutil
import wave
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks_of, commands_of
from tests.packaging import overlay

EXAMPLES = ROOT / "docs" / "examples"
PACKAGES = sorted(path.parent for path in EXAMPLES.glob("*/pyproject.toml"))
SLOTS = ("aligner", "corpus", "encoder", "vocoder")


def shown(package: Path) -> list[list[str]]:
    """Return the words of the commands of ours that a README shows."""
    blocks = blocks_of(package / "README.md")
    commands = [[*each.words] for block in blocks for each in commands_of(block)]
    return [words[1:] for words in commands if words[0] == "kokoro-core"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_readme_shows_how_its_component_is_checked_trained_and_heard(package: Path) -> None:
    commands = shown(package)
    assert [words[0] for words in commands] == ["check", "train", "synthesize"]
    assert commands[1][commands[1].index("--steps") + 1] == "2"
    assert f"({package.name}/README.md)" in (EXAMPLES / "README.md").read_text("utf-8")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_is_short_enough_to_be_read(package: Path) -> None:
    module = package / package.name.replace("-", "_")
    lines = [line for file in module.glob("*.py") for line in file.read_text("utf-8").splitlines()]
    assert 60 <= len([line for line in lines if line.strip()]) <= 170


@pytest.mark.slow
def test_they_are_built_installed_tested_and_used_as_they_say(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "folder"
    shutil.copytree(EXAMPLES, folder)
    home.mkdir()
    installed = overlay.installed([folder / each.name for each in PACKAGES], home, folder)
    names = [each.name for each in PACKAGES]
    listed = json.loads(installed.run("-m", "kokoro_core", "plugins", "--strict", "--json"))
    found = {each["name"]: each for each in listed if each["name"] in names}
    brought = [component for name in names for component in found[name]["components"]]
    assert sorted(each.partition("/")[0] for each in brought) == sorted(SLOTS)

    options = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-W", "error")
    tests = [folder / name / "tests" for name in names]
    # Compiling costs as much as all the rest, and neither component with a kit compiles.
    printed = installed.run("-m", "pytest", *options, "--rootdir=.", "-k", "not compile", *tests)
    assert int(re.findall(r"(\d+) passed", printed)[0]) >= 90

    shutil.copy(EXAMPLES / "acme-morse" / "lines.txt", folder)
    printed = installed.kokoro(*(words for each in PACKAGES for words in shown(each)))
    for each in PACKAGES:
        assert f"{each.name}: ok" in printed
        name = each.name.removeprefix("acme-")
        assert len(json.loads((folder / name / "losses.json").read_text())["training"]) == 2
        with wave.open(str(folder / f"{name}.wav")) as file:
            assert file.getnframes() > 0
