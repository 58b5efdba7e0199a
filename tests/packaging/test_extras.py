"""The extras: each is imported where docs/install.md says, and without them the core works."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.repository.reading import ROOT, imports_in, project, text_of

ROWS = re.findall(r"^\| `([\w-]+)` \| (.+) \| (.*)\|$", text_of("docs/install.md"), re.M)
ROOMS = {extra: set(re.findall(r"`([\w/]+)`", rooms)) for extra, _, rooms in ROWS}
EXTRAS: dict[str, list[str]] = project()["optional-dependencies"]
IMPORTED_AS = {
    "hibari-tts": "hibari",
    "mkdocs-material": "mkdocs",
    "pyworld-prebuilt": "pyworld",
    "ruamel-yaml": "ruamel",
}
"""Distributions whose module has another name than theirs."""

WITH_ANOTHER = {"annotated_types": "pydantic", "pydantic_core": "pydantic"}
"""Modules that come with a requirement because that could not do without them."""

BY_HAND = {"distillmos"}
"""Modules that docs/evaluate.md installs by hand."""

LOADED_BY_OTHERS = {"tensorboard"}
"""Distributions that no file of ours imports: Lightning's logger does."""


def module_of(requirement: Requirement) -> str:
    name = requirement.name.replace(".", "-").lower()
    return IMPORTED_AS.get(name, name.replace("-", "_"))


def direct(extra: str) -> set[str]:
    """Return the modules that an extra brings itself."""
    wanted = [Requirement(text) for text in EXTRAS[extra]]
    return {module_of(each) for each in wanted if each.name != project()["name"]}


def brought(extra: str) -> set[str]:
    """Return the modules that an extra and those that it asks for bring."""
    inner = [Requirement(text) for text in EXTRAS[extra]]
    others = {name for each in inner if each.name == project()["name"] for name in each.extras}
    return direct(extra).union(*(brought(each) for each in others))


BASE = {module_of(Requirement(text)) for text in project()["dependencies"]}
OURS = {"registry", "kokoro_core", "kokoro_plugins"}


def imported(file: Path) -> Iterator[str]:
    """Yield the top modules that a file imports, those of Python and ours left out."""
    names = list(names_in_calls(file))
    for node in imports_in(file):
        if isinstance(node, ast.Import):
            names += [each.name for each in node.names]
        elif not node.level and node.module:
            names.append(node.module)
    for top in (name.partition(".")[0] for name in names):
        if top not in sys.stdlib_module_names and top not in OURS:
            yield WITH_ANOTHER.get(top, top)


def names_in_calls(file: Path) -> Iterator[str]:
    """Yield what a file imports by calls of a function `_import`."""
    text = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if "_import(" in text else ():
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_import":
            yield from (str(each.value) for each in node.args if isinstance(each, ast.Constant))


def files_of_rooms() -> dict[str, list[Path]]:
    """Return the files of each room of the package."""
    found: dict[str, list[Path]] = {}
    for top in sorted(OURS):
        for file in sorted((ROOT / top).rglob("*.py")):
            found.setdefault("/".join(file.relative_to(ROOT).parts[:2]), []).append(file)
    return found


FILES = files_of_rooms()


def modules_of(room: str) -> set[str]:
    """Return the modules of others that a room imports."""
    return {module for file in FILES[room] for module in imported(file)}


def test_the_page_lists_every_extra_once() -> None:
    assert sorted(extra for extra, *_ in ROWS) == sorted(EXTRAS)
    assert ROOMS.keys() == EXTRAS.keys()


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - {"all", "docs", "test"}))
def test_what_an_extra_brings_is_imported_where_the_page_says(extra: str) -> None:
    there = set().union(*(modules_of(room) for room in ROOMS[extra]))
    assert direct(extra)
    assert direct(extra) - there <= LOADED_BY_OTHERS


@pytest.mark.parametrize("room", sorted(FILES))
def test_a_room_imports_nothing_that_no_extra_of_it_brings(room: str) -> None:
    of_room = [extra for extra, rooms in ROOMS.items() if room in rooms]
    known = BASE.union(*(brought(extra) for extra in of_room))
    assert modules_of(room) - known <= BY_HAND


WITHOUT = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        hidden = name.partition(".")[0] in REFUSED
        return None if hidden else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
from kokoro_core.cli.app import main

for words in (["check", "small"], ["plugins", "--strict"], ["describe", "small"], ["components"]):
    try:
        main(words)
    except SystemExit as ended:
        assert not ended.code, words
import torch
from kokoro_core import KokoroModel

model = KokoroModel.from_spec("small", overrides={"hidden_dim": 32}).eval()
print(model.inference(torch.tensor([[7, 41]]), max_mel_len=3).shape[2], "channels")
"""


def test_without_any_extra_specs_are_checked_and_models_speak() -> None:
    refused = set().union(*(direct(extra) for extra in EXTRAS)) - BASE
    assert {"lightning", "soundfile", "starlette", "pytest"} <= refused
    code = f"REFUSED = {sorted(refused)!r}\n{WITHOUT}"
    ran = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith("80 channels\n")
    assert "small: ok" in ran.stdout
