"""The pages of the public names, for mkdocstrings to fill."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from kokoro_core._public import PUBLIC


def name_pages() -> Iterator[tuple[str, str]]:
    """Yield a page for each public module, after one with all of them."""
    rows = [f"| [`{each}`]({each}.md) | {_first_line(import_module(each))} |" for each in PUBLIC]
    table = "\n".join(["| module | what it is |", "| --- | --- |", *rows])
    yield "names/index.md", f"# Every public name\n\n{_INTRO}\n\n{table}\n"
    for module, names in PUBLIC.items():
        yield f"names/{module}.md", _page(module, names)


_INTRO = "Signatures and docstrings by module. The list on one page: [Public names](../api.md)."


def _page(module: str, names: tuple[str, ...]) -> str:
    """Return the page of a module: each name under its heading, read where it is defined."""
    found = import_module(module)
    parts = [f"# {module}\n\n{_first_line(found)}\n"]
    for name in names:
        home = _home(module, name, getattr(found, name))
        parts.append(
            f"## `{name}`\n\n::: {home}\n    options:\n      show_root_heading: false\n"
            "      show_root_toc_entry: false\n      heading_level: 3\n"
        )
    return "\n".join(parts)


def _home(module: str, name: str, value: Any) -> str:
    """Return the place at which a name is defined, which need not be where it is public."""
    if inspect.isclass(value) or inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    return f"{module}.{name}"


def _first_line(value: Any) -> str:
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
