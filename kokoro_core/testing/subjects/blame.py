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
"""Top-level packages whose lines are nobody's fault here, beside the standard library's."""


def place_of(error: BaseException, subject: Any) -> str:
    """Return ``file:line: source`` of the deepest line of the author, or nothing.

    The author's are the packages of the settings and of the component; where none of theirs was on
    the way, any that is neither torch's nor ours. A promise that the kit itself found broken was
    raised at no line of theirs.
    """
    frames = [
        (str(frame.f_globals.get("__name__", "")), frame.f_code, line)
        for frame, line in walk_tb(error.__traceback__)
    ]
    if isinstance(error, AssertionError) and frames and _is_of_the_kit(frames[-1][0]):
        return ""
    outside = [each for each in frames if not each[0].startswith(_KIT)]
    own = _packages_of(subject)
    of_author = [each for each in outside if _top(each[0]) in own]
    of_nobody = [each for each in outside if _top(each[0]) not in _strange()]
    found = (of_author or of_nobody)[-1:]
    return _shown(*found[0][1:]) if found else ""


def _top(module: str) -> str:
    return module.partition(".")[0]


def _is_of_the_kit(module: str) -> bool:
    return module.startswith((_KIT, "torch.testing"))


def _strange() -> frozenset[str]:
    return _OTHERS | sys.stdlib_module_names


def _packages_of(subject: Any) -> set[str]:
    """Return the top-level packages of the settings, and of the component if it can be built."""
    if subject is None:
        return set()
    kinds = [type(getattr(subject, "params", subject))]
    built = vars(subject).get("component")  # cached there once it is built
    if built is not None:
        kinds.append(type(built))
    return {_top(each.__module__) for each in kinds} - {"kokoro_core"}


def _shown(code: CodeType, line: int) -> str:
    file = code.co_filename
    near = os.path.relpath(file) if os.path.isabs(file) else file
    source = linecache.getline(file, line).strip()
    return f"{file if near.startswith('..') else near}:{line}: {source}"
