"""Detect the first import of heavy packages while other code runs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Around = Callable[[], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def watch_imports(packages: Sequence[str], around: Around) -> Iterator[None]:
    """Run every first import of a package, or of a module in it, inside a context.

    Args:
        packages: Top-level names.
        around: Creates the context; nested imports get none of their own.
    """
    finder = _Finder(packages, around)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the code may have cleared the list
            sys.meta_path.remove(finder)


class _Finder:
    """Delegates to the other finders, and runs the watched modules in a context."""

    def __init__(self, packages: Sequence[str], around: Around) -> None:
        self._packages = packages
        self._around = around
        self._inside = False

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a watched module; None leaves the name to the other finders."""
        if self._inside or name.partition(".")[0] not in self._packages:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None
            if finder is not self and find is not None:
                spec = find(name, path, target)
            if spec is not None:
                self._wrap(spec.loader)
                return spec
        return None

    def _wrap(self, loader: Any) -> None:
        """Wrap a loader's run in the context; a loader shared with other modules is left alone."""
        if isinstance(loader, type) or not hasattr(loader, "exec_module"):
            return
        run = loader.exec_module

        def run_once(module: ModuleType) -> None:
            del loader.exec_module  # the override set below
            self._inside = True
            try:
                with self._around():
                    run(module)
            finally:
                self._inside = False

        loader.exec_module = run_once
