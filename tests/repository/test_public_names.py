"""The public list is true, and what docs and scaffold show is in it."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kokoro_core._public import PUBLIC
from kokoro_core.cli.api_page import api_page
from registry import API_VERSION, OLDEST_API

ROOT = Path(__file__).parents[2]
FIRST = Path(__file__).with_name("public_names_1.txt")
OURS = re.compile(r"(kokoro_core|registry)\b")
COMPONENT_PLUGINS = (
    "adversarial",
    "alignment",
    "conditioning",
    "conformer",
    "fastspeech",
    "gaussian",
    "hibari",
    "hifigan",
    "latent",
    "matcha",
    "non_attentive_tacotron",
    "normalizers",
    "positions",
    "speecht5",
    "symbols",
    "tacotron",
    "transformer",
    "variance",
    "vits",
    "vocos",
)


def names() -> list[str]:
    return [f"{module}.{name}" for module, listed in PUBLIC.items() for name in listed]


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_every_public_name_is_there_and_says_what_it_is(module: str) -> None:
    found = importlib.import_module(module)
    assert inspect.getdoc(found)
    for name in PUBLIC[module]:
        value = getattr(found, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"`{module}.{name}` has no docstring"


def test_no_name_is_listed_twice_in_a_module() -> None:
    assert len(names()) == len(set(names()))


def test_what_is_public_stands_in_the_list_of_its_module_too() -> None:
    for module, listed in PUBLIC.items():
        own = getattr(importlib.import_module(module), "__all__", None)
        assert own is None or set(listed) <= set(own), module


def test_no_public_name_of_this_version_was_taken_back() -> None:
    """Version 2 has all names of version 1, since plugins of version 1 go on working."""
    assert (OLDEST_API, API_VERSION) == (1, 2)
    missing = set(FIRST.read_text(encoding="utf-8").split()) - set(names())
    assert not missing, f"{missing} was public in KOKORO_API 1"


def test_the_page_is_the_one_that_the_list_makes() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert page == api_page(), "python -m kokoro_core.cli.api_page > docs/api.md"


def imported(source: str) -> Iterator[tuple[str, str]]:
    """Yield module and name of everything of ours that a source imports by name."""
    for node in ast.walk(ast.parse(source)):
        module = node.module if isinstance(node, ast.ImportFrom) and not node.level else None
        if isinstance(node, ast.ImportFrom) and module and OURS.match(module):
            yield from ((module, alias.name) for alias in node.names)


def is_public(module: str, name: str) -> bool:
    return name in PUBLIC.get(module, ()) or f"{module}.{name}" in PUBLIC


def shown_in_docs() -> list[tuple[str, str]]:
    """Return each block of Python in the docs with the page that it stands on."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [
        (page.name, block)
        for page in pages
        if page.name != "decisions.md"
        for block in re.findall(r"```python[^\n]*\n(.*?)```", page.read_text("utf-8"), re.S)
    ]
    assert len(blocks) > 30
    return blocks


def test_docs_import_public_names_alone() -> None:
    for page, block in shown_in_docs():
        for module, name in imported(re.sub(r"^(>>>|\.\.\.) ?", "", block, flags=re.M)):
            assert is_public(module, name), f"{page}: `{module}.{name}` is not public"


@pytest.mark.parametrize("folder", ["kokoro_core/scaffold/examples", "docs/examples"])
def test_scaffolded_plugins_and_examples_import_public_names_alone(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert len(files) > 15
    for file in files:
        for module, name in imported(file.read_text(encoding="utf-8")):
            own = module.startswith("kokoro_core.scaffold.examples")
            assert own or is_public(module, name), f"{file.name}: `{module}.{name}` is not public"


@pytest.mark.parametrize("plugin", COMPONENT_PLUGINS)
def test_components_in_the_box_enter_by_the_public_door(plugin: str) -> None:
    for file in sorted((ROOT / "kokoro_plugins" / plugin).glob("*.py")):
        for module, name in imported(file.read_text(encoding="utf-8")):
            assert is_public(module, name), f"{file.name}: `{module}.{name}` is not public"
