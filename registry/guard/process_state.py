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

from registry.guard import torch_state as torch
from registry.guard.import_watch import heavy_imports
from registry.names import printable

HEAVY = ("jax", "librosa", "lightning", "numpy", "scipy", "tensorflow", "torch", "transformers")
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
            shown = printable(self.printed, 80)
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
        with contextlib.redirect_stdout(stdout), heavy_imports(HEAVY, _excusing(before)):
            yield effects
    finally:
        effects.printed = stdout.getvalue()
        effects.imported = [each for each in HEAVY if each in sys.modules and each not in heavy]
        for place in _WATCHED:
            _restore(place, before[place.name], effects)


@dataclass(frozen=True)
class _Place:
    """A part of the process's state.

    Attributes:
        name: In words.
        read: Returns what is there, or None.
        put_back: Sets what was there.
    """

    name: str
    read: Callable[[], Any]
    put_back: Callable[[Any], None]

    def value(self) -> Any:
        """Return what is there, or None for what cannot be read."""
        try:
            return self.read()
        except Exception:  # a stranger may have replaced what it asks
            return None


def _read_all() -> dict[str, Any]:
    return {place.name: place.value() for place in _WATCHED}


def _restore(place: _Place, before: Any, effects: Effects) -> None:
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


def _numpy_state() -> Any:
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is None:
        return None
    kind, keys, *rest = numpy_random.get_state()
    return kind, keys.tolist(), *rest


def _set_numpy_state(value: Any) -> None:
    sys.modules["numpy.random"].set_state(value)


_WATCHED = (
    # the device first: what else is put back must not land on another one
    _Place("torch's default device", torch.device, torch.set_device),
    _Place("torch's default dtype", torch.dtype, torch.set_dtype),
    _Place("torch's recording of gradients", torch.gradients, torch.set_gradients),
    _Place("torch's float32 precision", torch.matmul_precision, torch.set_matmul_precision),
    _Place("torch's number of threads", torch.threads, torch.set_threads),
    _Place("torch's deterministic mode", torch.determinism, torch.set_determinism),
    _Place("the random state of torch", torch.random_state, torch.set_random_state),
    _Place("the random state of numpy", _numpy_state, _set_numpy_state),
    _Place("the state of `random`", random.getstate, random.setstate),
    _Place("the working directory", _working_directory, os.chdir),
    _Place("the environment variables", lambda: dict(os.environ), _set_environment),
    _Place("`sys.path`", lambda: list(sys.path), _set_path),
    _Place("the warning filters", lambda: list(warnings.filters), _set_filters),
)
