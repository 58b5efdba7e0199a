"""Names that a spec shares with a component, a file or another plugin's spec, and what is meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from registry import Plugins

SPEC_PREFIX = "spec/"
"""What stands before a named spec or a file, where a component has its name."""


def spec_source(text: str) -> str:
    """Return a spec's name or path without what says that it is one; files in `spec` stay."""
    return text if Path(text).is_file() else text.removeprefix(SPEC_PREFIX)


def is_named_spec(text: str, plugins: Plugins) -> bool:
    """Return whether plugins ship specs of this short or qualified name."""
    return any(text in (each.name, f"{each.plugin}/{each.name}") for each in plugins.specs.values())


def specs_of_name(text: str, plugins: Plugins) -> Iterator[str]:
    """Yield which specs have the name of a component, with the way to write each."""
    if is_named_spec(text, plugins):
        yield f"`{text}` is a named spec too; `{SPEC_PREFIX}{text}` means that"
    if Path(text).is_file():
        yield f"`{text}` is a file too; `{Path(text).absolute()}` means that"
