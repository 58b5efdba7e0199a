"""Find the line of an author's code in which something was raised."""

from __future__ import annotations

import linecache
import os
import sys
from traceback import walk_tb
from types import CodeType
from typing import Any

_KIT = "kokoro_core.testing"
_OTHERS = frozenset(
    {"hypothesis", "kokoro_core", "numpy", "pydantic", "pydantic_core", "registry", "torch"}
)
"""Packages that are never blamed, in addition to the standard library."""


def place_of(error: BaseException, subject: Any) -> str:
    """Return ``file:line: source`` of the innermost line of the author's code, or nothing.

    The author's code is the packages of the settings and of the component; if the traceback has
    none of these, any package that is neither ours nor a dependency. A promise that the kit itself
    found broken was not raised by a line of the author.
    """
    frames = [
        (str(frame.f_globals.get("__name__", "")), frame.f_code, line)
        for frame, line in walk_tb(error.__traceback__)
    ]
    of_kit = bool(frames) and frames[-1][0].startswith((_KIT, "torch.testing"))
    if isinstance(error, AssertionError) and of_kit:
        return ""
    outside = [each for each in frames if not each[0].startswith(_KIT)]
    own = _packages_of(subject)
    of_author = [each for each in outside if _top(each[0]) in own]
    of_nobody = [each for each in outside if _top(each[0]) not in _OTHERS | sys.stdlib_module_names]
    found = (of_author or of_nobody)[-1:]
    return _shown(*found[0][1:]) if found else ""


def _top(module: str) -> str:
    return module.partition(".")[0]


def _packages_of(subject: Any) -> set[str]:
    """Return the top-level packages of the settings, and of the component once it is built."""
    return {_top(each) for each in modules_of(subject)} - {"kokoro_core"}


def modules_of(subject: Any) -> list[str]:
    """Return the modules of the classes of the settings, and of the component once it is built."""
    if subject is None:
        return []
    classes = [type(getattr(subject, "params", subject))]
    built = vars(subject).get("component")  # a cached property
    return [each.__module__ for each in (*classes, *([] if built is None else [type(built)]))]


def _shown(code: CodeType, line: int) -> str:
    file = code.co_filename
    near = os.path.relpath(file) if os.path.isabs(file) else file
    source = linecache.getline(file, line).strip()
    return f"{file if near.startswith('..') else near}:{line}: {source}"
