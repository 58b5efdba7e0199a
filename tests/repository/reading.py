"""The files of the repository that tools read, as values."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def yaml_of(path: str) -> dict[str, Any]:
    """Return the mapping in a YAML file; a key that stands twice raises."""
    values = YAML(typ="safe", pure=True).load(text_of(path))
    assert isinstance(values, dict), f"{path} holds no mapping"
    return values


def pyproject() -> dict[str, Any]:
    return tomllib.loads(text_of("pyproject.toml"))


def project() -> dict[str, Any]:
    found: dict[str, Any] = pyproject()["project"]
    return found


@cache
def imports_in(file: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Return the import statements of a file, also those inside functions and for types alone."""
    found = _statements(ast.parse(file.read_text(encoding="utf-8")))
    return tuple(each for each in found if isinstance(each, (ast.Import, ast.ImportFrom)))


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands below a statement, expressions left out: no import is inside one."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        for each in getattr(node, name, ()):
            yield each
            yield from _statements(each)
