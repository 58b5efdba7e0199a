"""Modules that hide each other: ours are found whatever lies beside a script, others are named.

Python looks for a module first in the folder of the script, or with ``python -m`` in the working
directory. A file of a user's that is called like a package of ours, or like one that we import, is
taken for it. This file imports nothing that could be hidden before it is needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec

OURS = ("registry", "kokoro_plugins")
"""The packages that are installed beside this one."""


def import_ours() -> None:
    """Import the packages beside this one from there, not the first of that name on `sys.path`.

    Raises:
        ImportError: A module of another origin has the name in this process already.
    """
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name in OURS:
        spec = PathFinder.find_spec(name, [home])
        if spec is None or spec.origin is None:  # installed in a way that only Python knows
            continue
        there = sys.modules.get(name)
        if there is None:
            _load(spec)
        elif not _is_same(_file_of(there), spec.origin):
            raise ImportError(_sentence(_file_of(there), name), name=name)


def _load(spec: ModuleSpec) -> None:
    assert spec.loader is not None
    sys.modules[spec.name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(sys.modules[spec.name])
    except BaseException:
        del sys.modules[spec.name]
        raise


def explanation(error: BaseException) -> str | None:
    """Return which files hide modules that this process imports, if they may be why it failed."""
    if not isinstance(error, (ImportError, AttributeError, TypeError)):
        return None
    found = dict.fromkeys(_sentence(file, name) for name, file in _hiding(error))
    return " ".join(found) or None


def _hiding(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield name and file of each module in use that stands before another one of its name."""
    own = _system_folders()
    for name, file in [*_imported(), *_in_traceback(error)]:
        folder = os.path.dirname(file)
        if os.path.basename(file) == "__init__.py":
            folder = os.path.dirname(folder)
        if any(os.path.realpath(folder).startswith(each) for each in own):
            continue
        others = [each for each in sys.path if not _is_same(each or os.curdir, folder)]
        if name in sys.stdlib_module_names or PathFinder.find_spec(name, others) is not None:
            yield name, file


def _system_folders() -> list[str]:
    import sysconfig

    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    return [os.path.realpath(sysconfig.get_path(each)) for each in kinds]


def _imported() -> Iterator[tuple[str, str]]:
    for name, module in list(sys.modules.items()):
        if "." not in name and name != "__main__" and _file_of(module):
            yield name, _file_of(module)


def _in_traceback(error: BaseException) -> Iterator[tuple[str, str]]:
    """Yield the modules whose import failed, which are no longer among the imported ones."""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__") or ""
        if name and "." not in name and name != "__main__":
            yield name, trace.tb_frame.f_code.co_filename
        trace = trace.tb_next


def _file_of(module: object) -> str:
    """Return the file of a module, or the folder of one that has no file."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        file = next(iter(getattr(module, "__path__", ())), "")
    return str(file)


def _is_same(a: str, b: str) -> bool:
    return os.path.realpath(a) == os.path.realpath(b)


def _sentence(file: str, name: str) -> str:
    if os.path.basename(file) == "__init__.py":
        file = os.path.dirname(file)
    whose = "that comes with kokoro-core" if name in OURS else "that kokoro-core needs"
    return f"`{file}` hides the module `{name}` {whose}; rename it or move it elsewhere."
