"""`ComponentFailure`: an error in a plugin's class, as a problem of the spec that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kokoro_core.params.component import ComponentParams, owner_of
from kokoro_core.spec.problems.problem import Path, Problem, SpecError, dotted
from kokoro_core.spec.problems.violation import RuleViolation
from registry.text import one_line


class ComponentFailure(SpecError):
    """A component violated its contract when one of its methods was called.

    Attributes:
        violation: The violated rule, located at the component.
    """

    def __init__(self, path: Path, owner: str, what: str) -> None:
        self.violation = RuleViolation("plugin-raised", path, f"{owner} {what}", None, (path,))
        super().__init__([Problem("plugin-raised", dotted(path), self.violation.message)])


@contextmanager
def attribute_errors_to(component: ComponentParams, path: Path, method: str) -> Iterator[None]:
    """Turn an exception from a component's method into a `ComponentFailure` that names it.

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
    """Return the words for a plugin whose code raised."""
    return f"raised {type(error).__name__}: {one_line(error)}"


def returned(value: Any, expected: str) -> str:
    """Return the words for a plugin whose code returned a value of the wrong kind."""
    return f"returned a {type(value).__name__}, not {expected}"
