"""The room itself: what it imports, and that nothing in it gets past the watched calls."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import kokoro_core.durable

FILES = sorted(Path(kokoro_core.durable.__file__).parent.glob("*.py"))


def nodes() -> Iterator[ast.AST]:
    assert len(FILES) > 10
    for file in FILES:
        yield from ast.walk(ast.parse(file.read_text(encoding="utf-8")))


def test_the_room_needs_the_standard_library_and_the_name_of_an_error() -> None:
    modules = {node.module or "" for node in nodes() if isinstance(node, ast.ImportFrom)}
    modules |= {
        alias.name for node in nodes() if isinstance(node, ast.Import) for alias in node.names
    }
    strangers = {each for each in modules if each.partition(".")[0] not in sys.stdlib_module_names}
    assert {each for each in strangers if not each.startswith("kokoro_core.durable")} == {
        "kokoro_core.errors"
    }


def test_whatever_the_room_writes_goes_through_calls_that_the_tests_watch() -> None:
    """A file that is opened by `open` is one that is read, by its descriptor."""
    called = [node for node in nodes() if isinstance(node, ast.Call)]
    opened = [ast.unparse(each) for each in called if ast.unparse(each.func) == "open"]
    assert opened
    assert all("'rb'" in each and "closefd=False" in each for each in opened)
    methods = {each.func.attr for each in called if isinstance(each.func, ast.Attribute)}
    assert methods.isdisjoint({"write_text", "write_bytes", "touch", "replace", "chmod"})
