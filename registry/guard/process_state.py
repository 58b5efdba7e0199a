"""Side effects of a plugin's import on the process, detected and undone.

Importing a manifest should only declare what a plugin has, not affect the state of the process. A
changed random state would give every model built afterwards different weights.
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
"""Packages that a manifest must not import, since checking a spec would then take seconds."""


@dataclass
class Effects:
    """Side effects of third-party code.

    Attributes:
        changed: Descriptions of what was changed and has been restored.
        stuck: Descriptions of what was changed and could not be restored.
        printed: Text for standard output, which was suppressed.
        imported: Heavy packages that were imported.
    """

    changed: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    printed: str = ""
    imported: list[str] = field(default_factory=list)

    def flags(self) -> tuple[str, ...]:
        """Return one sentence per effect."""
        said = [f"changes {each} when it is imported; that was undone" for each in self.changed]
        said += [f"changes {each} when it is imported; that stays changed" for each in self.stuck]
        if self.printed:
            shown = one_line(self.printed, 80)
            said.append(f"prints when it is imported; that was suppressed: {shown!r}")
        said += [f"imports {each}; import it inside `build`" for each in self.imported]
        return tuple(said)


@contextlib.contextmanager
def watched() -> Iterator[Effects]:
    """Run third-party code, record its side effects and undo them.

    Changes made by the import of a heavy package itself stay and are not attributed to the plugin.
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
    """Restore the earlier value, if it has changed."""
    if before is None or place.value() == before:
        return
    with contextlib.suppress(Exception):  # whether it worked is checked below
        place.put_back(before)
    (effects.changed if place.value() == before else effects.stuck).append(place.name)


def _excusing(before: dict[str, Any]) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Return a context whose changes count as the state before."""

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
