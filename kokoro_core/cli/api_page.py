"""The page ``docs/api.md``: every public name with its signature, from the list of `_public`."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from kokoro_core._public import PUBLIC
from registry import API_VERSION

_HEAD = f"""\
# Public modules and names

What a plugin or a program may import. `KOKORO_API = {API_VERSION}` versions this list; every
other module and name may change in any release. How versions and deprecations work is in
[Versions](versioning.md).

This page is made from the list and the code itself; this renews it:
`python -m kokoro_core.cli.api_page > docs/api.md`.
"""


def api_page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD, *(_module(name, names) for name, names in PUBLIC.items())]
    return "\n".join(parts)


def _module(name: str, names: tuple[str, ...]) -> str:
    module = import_module(name)
    rows = [f"| `{each}` | {_summary(getattr(module, each))} |" for each in names]
    table = ["| name | what it is |", "| --- | --- |", *rows]
    return "\n".join([f"## `{name}`", "", _first_line(module), "", *table, ""])


def _summary(value: Any) -> str:
    """Return the first line of a name's docstring; for a constant its value."""
    if inspect.isroutine(value) or inspect.isclass(value):
        return _first_line(value).replace("|", "\\|")
    return f"a `{type(value).__name__}`"


def _first_line(value: Any) -> str:
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    print(api_page(), end="")
