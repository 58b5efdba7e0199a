"""What a plugin's import may change in the process around it, noticed and put back.

The import of a manifest says what a plugin has; it has no business with the state of the process. A
random state that it moves would give every model built afterwards other weights.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from registry.guard.import_watch import watch_imports
from registry.guard.library_state import OF_LIBRARIES, Place
from registry.text import one_line

HEAVY = ("jax", "lightning", "numpy", "scipy", "tensorflow", "torch", "transformers")
"""Packages that a manifest must not import: they cost seconds for whoever checks a spec."""


@dataclass
class Effects:
    """What happened during a stranger's code.

    Attributes:
        changed: What was changed and has been put back, in words.
        stuck: What was changed and could not be put back, in words.
        printed: What went to the standard output; it was kept from it.
        imported: Heavy packages that were imported.
    """

    changed: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    printed: str = ""
    imported: list[str] = field(default_factory=list)

    def flags(self) -> tuple[str, ...]:
        """Return a sentence for each effect."""
        said = [f"changes {each} when it is imported; that was put back" for each in self.changed]
        said += [f"changes {each} when it is imported; that stays changed" for each in self.stuck]
        if self.printed:
            shown = one_line(self.printed, 80)
            said.append(f"prints when it is imported; that was kept back: {shown!r}")
        said += [f"imports {each}; import it inside `build`" for each in self.imported]
        return tuple(said)


@contextlib.contextmanager
def watched() -> Iterator[Effects]:
    """Run a stranger's code, note what it changes around itself and put that back.

    What the import of a heavy package changes by itself stays, and nobody is blamed for it.
    """
    effects = Effects()
    before = _read_all()
    heavy = {name for name in HEAVY if name in sys.modules}
    stdout = io.StringIO()
    try:
        with contextlib.redirect_stdout(stdout), watch_imports(HEAVY, _excusing(before)):
            yield effects
    finally:
        effects.printed = stdout.getvalue()
        effects.imported = [each for each in HEAVY if each in sys.modules and each not in heavy]
        for place in _WATCHED:
            _restore(place, before[place.name], effects)


def _read_all() -> dict[str, Any]:
    return {place.name: place.value() for place in _WATCHED}


def _restore(place: Place, before: Any, effects: Effects) -> None:
    """Put back what was there before, if it is something else now."""
    if before is None or place.value() == before:
        return
    with contextlib.suppress(Exception):  # what it left in place is looked at below
        place.put_back(before)
    (effects.changed if place.value() == before else effects.stuck).append(place.name)


def _excusing(before: dict[str, Any]) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Return a context that takes what changes within it for what was there before."""

    @contextlib.contextmanager
    def excused() -> Iterator[None]:
        start = _read_all()
        try:
            yield
        finally:
            for name, value in _read_all().items():
                if before[name] == start[name]:
                    before[name] = value

    return excused


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return None


def _set_environment(values: dict[str, str]) -> None:
    for name in os.environ.keys() - values.keys():
        del os.environ[name]
    os.environ.update(values)


def _set_path(values: list[str]) -> None:
    sys.path[:] = values


def _set_filters(values: list[Any]) -> None:
    warnings.filters[:] = values  # type: ignore[index]


_WATCHED = (
    *OF_LIBRARIES,
    Place("the state of `random`", random.getstate, random.setstate),
    Place("the working directory", _working_directory, os.chdir),
    Place("the environment variables", lambda: dict(os.environ), _set_environment),
    Place("`sys.path`", lambda: list(sys.path), _set_path),
    Place("the warning filters", lambda: list(warnings.filters), _set_filters),
)
