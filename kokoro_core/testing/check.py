"""`Check`: one property, what it is tried on, and for which components it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from kokoro_core.testing.data.cases import Cases
from kokoro_core.testing.probes import PROBES

Data = TypeVar("Data")

ROWS = tuple(PROBES)
"""Slots whose components turn rows into rows."""

PARTS = (*ROWS, "positional_encoding")


@dataclass(frozen=True)
class Check(Generic[Data]):
    """A property of a component.

    Attributes:
        id: Its name, the same in all doors and all versions.
        holds: Given a subject (a component's, or a whole model's) and data, raises an
            AssertionError if the property is broken on the data.
        cases: What data there is.
        slots: Of the components that have it.
        bug: A real bug that it stands for, by its public number.
        since: Version of the list of checks that brought it.
        skip: Returns why a component does not have the property, or None.
        explicit: Whether it is tried on the corners alone, where drawing adds nothing.
        costly: Whether it costs seconds, so that most levels try it on one configuration alone.
    """

    id: str
    holds: Callable[[Any, Data], None]
    cases: Cases[Data]
    slots: tuple[str, ...]
    bug: str
    since: int = 1
    skip: Callable[[Any], str | None] = field(default=lambda _: None)
    explicit: bool = False
    costly: bool = False

    @property
    def meaning(self) -> str:
        """What it says, in a sentence."""
        return " ".join((self.holds.__doc__ or "").split("\n\n")[0].split())


def check(
    id: str,
    *,
    cases: Cases[Any],
    slots: tuple[str, ...] = ROWS,
    bug: str,
    since: int = 1,
    skip: Callable[[Any], str | None] = lambda _: None,
    explicit: bool = False,
    costly: bool = False,
) -> Callable[[Callable[[Any, Any], None]], Check[Any]]:
    """Make a check of a function; it enters the list in `kokoro_core.testing.checks` by name."""

    def made(function: Callable[[Any, Any], None]) -> Check[Any]:
        return Check(id, function, cases, slots, bug, since, skip, explicit, costly)

    return made
