"""`Fault`: a plugin's class raised where a spec needed it; a problem of the spec, no traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kokoro_core.params.component import ComponentParams, owner_of
from kokoro_core.spec.problems.problem import Path, Problem, SpecError, dotted
from kokoro_core.spec.problems.violation import Finding
from registry.names import printable


class Fault(SpecError):
    """A component did what its contract forbids when it was asked for something.

    Attributes:
        finding: The rule that is broken, at the component.
    """

    def __init__(self, path: Path, owner: str, what: str) -> None:
        self.finding = Finding("plugin-raised", path, f"{owner} {what}", None, (path,))
        super().__init__([Problem("plugin-raised", dotted(path), self.finding.message)])


@contextmanager
def asking(component: ComponentParams, path: Path, method: str) -> Iterator[None]:
    """Turn what a component's method raises into a `Fault` that names it.

    Raises:
        Fault: The method raised.
    """
    try:
        yield
    except Fault:
        raise
    except Exception as error:
        raise Fault(path, owner_of(type(component)), f"{raised(error)} in `{method}`") from error


def raised(error: Exception) -> str:
    """Return what is said of a plugin whose code raised."""
    return f"raised {type(error).__name__}: {printable(error)}"


def returned(value: Any, expected: str) -> str:
    """Return what is said of a plugin whose code returned what it must not."""
    return f"returned a {type(value).__name__}, not {expected}"
