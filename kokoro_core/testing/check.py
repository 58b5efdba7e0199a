"""`Check`: a property, the data it is tried on, and the components that have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Generic, TypeVar

from kokoro_core.testing.data.cases import Cases
from kokoro_core.testing.probes import PROBES

Data = TypeVar("Data")

ROWS = tuple(PROBES)
"""Slots whose components map a batch of rows to a batch of rows; each has a probe."""

PARTS = (*ROWS, "positional_encoding")

Skip = Callable[[Any], str | None]
"""Returns why a check does not apply to a subject, or None if it does."""


def only_if(capability: str, otherwise: str = "") -> Skip:
    """Skip components that do not declare a capability; the default reason says ``=False``."""
    reason = otherwise or f"declares `{capability}=False`"
    return lambda subject: None if getattr(subject.capabilities, capability) else reason


def only_if_not(capability: str, otherwise: str = "") -> Skip:
    """Skip components that declare a capability."""
    reason = otherwise or f"declares `{capability}`"
    return lambda subject: reason if getattr(subject.capabilities, capability) else None


def first_reason(*skips: Skip) -> Skip:
    """Skip components that any of these skips, for the first reason found."""
    return lambda subject: next(filter(None, (skip(subject) for skip in skips)), None)


def _never(_: Any) -> str | None:
    return None


def _undecorated(subject: Any, data: Any) -> None:
    raise TypeError("a `Check` must decorate a function.")


@dataclass(frozen=True)
class Check(Generic[Data]):
    """A property of a component. It decorates the function that checks the property.

    Attributes:
        id: Its name in pytest, on the command line and in every version; a search for it finds the
            function.
        cases: The data it is tried on.
        bug: A real bug that it would have caught, by its public issue number.
        slots: Whose components have the property.
        since: Version of the list of checks that introduced it.
        skip: Returns why a component does not have the property, or None.
        explicit: Whether corner cases suffice, because drawing adds nothing.
        costly: Whether it takes seconds, so that most levels try it on one configuration only.
        dear: How many examples of others one of its own costs: a level tries so many fewer, corner
            cases included, and none where it has not as many.
        holds: The function: given a subject (a component or a whole model) and data, raises an
            AssertionError if the data breaks the property.
    """

    id: str
    _: KW_ONLY
    cases: Cases[Data]
    bug: str
    slots: tuple[str, ...] = ROWS
    since: int = 1
    skip: Skip = _never
    explicit: bool = False
    costly: bool = False
    dear: int = 1
    holds: Callable[[Any, Data], None] = _undecorated

    def __call__(self, function: Callable[[Any, Data], None]) -> Check[Data]:
        """Return the check whose property the function checks."""
        return replace(self, holds=function)

    @property
    def meaning(self) -> str:
        """The property in one sentence: the first paragraph of the function's docstring."""
        return " ".join((self.holds.__doc__ or "").split("\n\n")[0].split())
