"""Names of classes by which another process can import them."""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kokoro_core.testing.subjects.blame import place_of


def is_importable(module: str) -> bool:
    """Return whether a fresh process in any folder would import the module that this process has.

    Test runners and shells put folders on the path, and Python the current one; a module from one
    of them is importable here only.
    """
    top = sys.modules.get(module.partition(".")[0])
    file = getattr(top, "__file__", None)
    for finder in sys.meta_path:
        if file and top and getattr(finder, "__module__", "").startswith("__editable__"):
            found = finder.find_spec(top.__name__, None)
            if found is not None and found.origin == file:
                return True
    return root_of(module) in _installed_folders()


def _installed_folders() -> set[str]:
    """Return the folders of what is installed: those on the path from the standard library on."""
    library = sysconfig.get_path("stdlib")
    start = sys.path.index(library) if library in sys.path else 0
    return {os.path.realpath(each) for each in sys.path[start:]}


def name_of(kind: type[Any]) -> str | None:
    """Return ``module:Class`` or ``/…/file.py:Class``, which `import_class` takes, or None."""
    if "<" in kind.__qualname__:
        return None
    if is_importable(kind.__module__) or root_of(kind.__module__):
        return f"{kind.__module__}:{kind.__qualname__}"
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return f"{os.path.abspath(file)}:{kind.__qualname__}" if file else None


def roots_of(modules: Iterable[str]) -> list[str]:
    """Return the folders that a fresh process needs on its path to import some modules.

    If there are any, the absolute ones of ``PYTHONPATH`` follow, since the modules may need them.
    """
    needed = [root for each in modules if not is_importable(each) and (root := root_of(each))]
    of_shell = filter(os.path.isabs, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return list(dict.fromkeys([*needed, *of_shell])) if needed else []


def root_of(module: str) -> str | None:
    """Return the folder that holds a module under its full name, or None."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if module == "__main__" or file is None:
        return None
    path, parts = Path(file).resolve(), module.split(".")
    path = path.parent if path.stem == "__init__" else path.with_suffix("")
    return str(path.parents[len(parts) - 1]) if [*path.parts[-len(parts) :]] == parts else None


def import_class(name: str) -> Any:
    """Return the class that ``module:Class`` or ``file.py:Class`` names.

    A module is imported as if Python had been started in the current folder, a file as a test
    runner imports it: under its full name if it is in a package.

    Raises:
        ValueError: There is no such module, file or class, or importing it raised or ended Python.
    """
    home, _, qualname = name.rpartition(":")
    is_file = home.endswith(".py")
    folder, module = _home_of(Path(home)) if is_file else (os.getcwd(), home)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    found: Any = _imported(module, home, folder)
    for part in qualname.split("."):
        try:
            found = getattr(found, part)
        except Exception:  # a metaclass may raise anything
            raise ValueError(f"`{home}` has no `{qualname}`.") from None
    return found


def _imported(module: str, home: str, folder: str) -> Any:
    if not all(part.isidentifier() for part in module.split(".")):
        raise ValueError(f"`{module}` is not a module that can be imported in `{folder}`.")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ValueError(f"`{home}` needs the module `{error.name}`.") from error
        raise ValueError(
            f"`{module}` is not a module that can be imported in `{folder}`."
        ) from None
    except (Exception, SystemExit) as error:
        null_bytes = isinstance(error, ValueError) and "null bytes" in str(error)
        if isinstance(error, SyntaxError) or null_bytes:  # a ValueError before Python 3.11.4
            raise ValueError(f"`{home}` is no Python that can be read: {error}.") from error
        where = place_of(error, None) or home
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ValueError(f"`{home}` could not be imported: {said} ({where}).") from error
    file = getattr(found, "__file__", None)
    if home.endswith(".py") and (file is None or not Path(file).samefile(home)):
        raise ValueError(f"`{home}` has the name of another module, `{module}`; rename the file.")
    return found


def _home_of(file: Path) -> tuple[str, str]:
    """Return the folder that a file is imported from, and its module name there.

    Raises:
        ValueError: There is no such file.
    """
    if not file.is_file():
        raise ValueError(f"`{file}` does not exist.")
    folder, parts = file.resolve().parent, [file.stem]
    while (folder / "__init__.py").is_file():
        folder, parts = folder.parent, [folder.name, *parts]
    return str(folder), ".".join(parts)
