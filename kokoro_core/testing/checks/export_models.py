"""A whole model exports: one that is given, and those that are drawn around a component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kokoro_core.errors import ExportError
from kokoro_core.exporting.declared import refuse_declared
from kokoro_core.testing.check import Check, first_reason
from kokoro_core.testing.checks.exporting import SPEAKING, says_of_export
from kokoro_core.testing.checks.models import refuses_extras
from kokoro_core.testing.checks.programs import assert_exports
from kokoro_core.testing.data.cases import ONCE, Cases, Nothing
from kokoro_core.testing.subjects.composed import composed
from kokoro_core.testing.subjects.model_subject import ModelSubject
from kokoro_core.testing.subjects.subject import Subject

DEAR = 20
"""A trace of a model takes seconds: the level `ci` tries one, `nightly` fifteen."""

PLACED = (*SPEAKING, "positional_encoding")
"""Slots whose components are in a model that speaks."""


@dataclass(frozen=True)
class Composition:
    """A model around a component.

    Attributes:
        number: Which one: the other parts are drawn by it.
    """

    number: int = 0


def _numbers() -> Any:
    from hypothesis import strategies as st

    return st.builds(Composition, st.integers(1, 2**16))


def _nowhere(subject: Subject) -> str | None:
    spec = composed(subject, 0)
    return "no model of the installed components takes it" if spec is None else None


def _declared(subject: ModelSubject) -> str | None:
    try:
        refuse_declared(subject.spec)
    except ExportError as error:
        return str(error).partition(":")[0]
    return None


def _exports(subject: ModelSubject) -> None:
    try:
        assert_exports(subject.build())
    except ExportError as error:
        parts = ", ".join(f"{part.slot} {part.type}" for part in subject.parts)
        raise AssertionError(f"{error} (in a model of {parts})") from error


@Check(
    "export-in-models",
    dear=DEAR,
    costly=True,
    since=2,
    cases=Cases(Composition, (Composition(),), _numbers),
    slots=PLACED,
    skip=first_reason(lambda subject: says_of_export(subject, True), _nowhere),
    bug="piper1-gpl#101: parts that export alone, and a model that does not",
)
def exports_in_models(subject: Subject, case: Composition) -> None:
    """Models of other parts with it export whole, and speak as generation does at any length."""
    spec = composed(subject, case.number)
    if spec is not None:
        _exports(ModelSubject(spec))


@Check(
    "export-model",
    dear=DEAR,
    costly=True,
    since=2,
    cases=ONCE,
    slots=("model",),
    skip=first_reason(refuses_extras, _declared),
    bug="piper1-gpl#101: parts that export alone, and a model that does not",
)
def exports_model(subject: ModelSubject, case: Nothing) -> None:
    """The model exports whole, and its programs speak as generation does at any length."""
    _exports(subject)
