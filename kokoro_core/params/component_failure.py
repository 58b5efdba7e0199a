"""`ComponentFailure`: what a plugin's class raised, as a problem of the spec that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kokoro_core.params.component import ComponentParams, owner_of
from kokoro_core.spec.problems.problem import Path, Problem, SpecError, dotted
from kokoro_core.spec.problems.violation import RuleViolation
from registry.text import one_line


class ComponentFailure(SpecError):
    """A component did what its contract forbids when it was asked for something.

    Attributes:
        violation: The rule that is broken, at the component.
    """

    def __init__(self, path: Path, owner: str, what: str) -> None:
        self.violation = RuleViolation("plugin-raised", path, f"{owner} {what}", None, (path,))
        super().__init__([Problem("plugin-raised", dotted(path), self.violation.message)])


@contextmanager
def attribute_errors_to(component: ComponentParams, path: Path, method: str) -> Iterator[None]:
    """Turn what a component's method raises into a `ComponentFailure` that names it.

    Raises:
        ComponentFailure: The method raised.
    """
    try:
        yield
    except ComponentFailure:
        raise
    except Exception as error:
        raise ComponentFailure(
            path, owner_of(type(component)), f"{raised(error)} in `{method}`"
        ) from error


def raised(error: Exception) -> str:
    """Return what is said of a plugin whose code raised."""
    return f"raised {type(error).__name__}: {one_line(error)}"


def returned(value: Any, expected: str) -> str:
    """Return what is said of a plugin whose code returned what it must not."""
    return f"returned a {type(value).__name__}, not {expected}"
