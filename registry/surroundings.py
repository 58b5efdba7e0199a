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

from registry.names import printable

HEAVY = ("jax", "librosa", "lightning", "numpy", "scipy", "tensorflow", "torch", "transformers")
"""Packages that a manifest must not import: they cost seconds for whoever checks a spec."""


@dataclass
class Effects:
    """What happened during a stranger's code.

    Attributes:
        changed: What was changed and has been put back, in words.
        printed: What went to the standard output; it was kept from it.
        imported: Heavy packages that were imported.
    """

    changed: list[str] = field(default_factory=list)
    printed: str = ""
    imported: list[str] = field(default_factory=list)

    def flags(self) -> tuple[str, ...]:
        """Return a sentence for each effect."""
        said = [f"changes {each} when it is imported; that was put back" for each in self.changed]
        if self.printed:
            shown = printable(self.printed, 80)
            said.append(f"prints when it is imported; that was kept back: {shown!r}")
        said += [f"imports {each}; import it inside `build`" for each in self.imported]
        return tuple(said)


@contextlib.contextmanager
def watched() -> Iterator[Effects]:
    """Run a stranger's code, note what it changes around itself and put that back."""
    effects = Effects()
    before = [(each, each.read()) for each in _WATCHED]
    heavy = {name for name in HEAVY if name in sys.modules}
    stdout = io.StringIO()
    try:
        with contextlib.redirect_stdout(stdout):
            yield effects
    finally:
        effects.printed = stdout.getvalue()
        effects.imported = [each for each in HEAVY if each in sys.modules and each not in heavy]
        effects.changed = [place.name for place, value in before if place.restore(value)]


@dataclass(frozen=True)
class _Place:
    """A part of the process's state.

    Attributes:
        name: In words.
        read: Returns what is there, or None.
        put_back: Sets what was there.
        fresh: Returns what is there if nobody changes it, where that is known.
    """

    name: str
    read: Callable[[], Any]
    put_back: Callable[[Any], None]
    fresh: Callable[[], Any] | None = None

    def restore(self, before: Any) -> bool:
        """Put back what was there before; return whether it was something else."""
        now = self.read()
        if before is None and now is not None and self.fresh is not None:
            before = self.fresh()
        if before is None or now == before:
            return False
        self.put_back(before)
        return True


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


def _torch_state() -> list[int] | None:
    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_rng_state().tolist()


def _set_torch_state(value: list[int]) -> None:
    torch = sys.modules["torch"]
    torch.set_rng_state(torch.tensor(value, dtype=torch.uint8))


def _torch_dtype() -> Any:
    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_default_dtype()


def _set_torch_dtype(value: Any) -> None:
    sys.modules["torch"].set_default_dtype(value)


def _fresh_torch_dtype() -> Any:
    return sys.modules["torch"].float32


_WATCHED = (
    _Place("the state of `random`", random.getstate, random.setstate),
    _Place("the random state of numpy", _numpy_state, _set_numpy_state),
    _Place("the random state of torch", _torch_state, _set_torch_state),
    _Place("torch's default dtype", _torch_dtype, _set_torch_dtype, _fresh_torch_dtype),
    _Place("the working directory", _working_directory, os.chdir),
    _Place("the environment variables", lambda: dict(os.environ), _set_environment),
    _Place("`sys.path`", lambda: list(sys.path), _set_path),
    _Place("the warning filters", lambda: list(warnings.filters), _set_filters),
)
