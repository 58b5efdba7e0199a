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
    described: dict[str, str] = {}
    for module, names in PUBLIC.items():
        parts = [f"# {module}\n\n{_first_line(import_module(module))}\n"]
        for name in names:
            home = _home(module, name, getattr(import_module(module), name))
            parts.append(_described(name, home, described.setdefault(home, module), module))
        yield f"names/{module}.md", "\n".join(parts)


_INTRO = "Signatures and docstrings by module. The list on one page: [Public names](../api.md)."


def _described(name: str, home: str, first: str, module: str) -> str:
    """Return a name under its heading, read where it is defined; said once, it is led to after."""
    if first != module:
        return f"## {name}\n\nThe same as [`{first}.{name}`]({first}.md#{home}).\n"
    return f'::: {home}\n    options:\n      heading: "{name}"\n      toc_label: "{name}"\n'


def _home(module: str, name: str, value: Any) -> str:
    """Return the place at which a name is defined, which need not be where it is public."""
    if inspect.isclass(value) or inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    return f"{module}.{name}"


def _first_line(value: Any) -> str:
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")
