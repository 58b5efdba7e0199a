"""Printing the problems of specs: for people, for programs, for GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from kokoro_core.cli.output import print_error, print_json
from registry.text import printable

if TYPE_CHECKING:
    from kokoro_core.spec.problems.problem import Problem


class Checked(NamedTuple):
    """The findings about a spec.

    Attributes:
        spec: The name given by the user.
        problems: None if it is valid.
        notes: Notes for the user.
    """

    spec: str
    problems: Sequence[Problem]
    notes: Sequence[str] = ()


Found = Sequence[Checked]


class Format(StrEnum):
    """The output format."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def report(found: Found, format: Format) -> None:
    """Print the findings about specs."""
    {Format.TEXT: _text, Format.JSON: _json, Format.GITHUB: _github}[format](found)


def _text(found: Found) -> None:
    for each in found:
        for problem in each.problems:
            print_error(str(problem))
        for note in each.notes:
            print_error(f"{each.spec}: note: {note}")
        if not each.problems:
            print(printable(f"{each.spec}: ok"))


def _json(found: Found) -> None:
    print_json(
        [
            {
                "spec": each.spec,
                "problems": [problem.as_dict() for problem in each.problems],
                "notes": list(each.notes),
            }
            for each in found
        ]
    )


def _github(found: Found) -> None:
    for each in found:
        for problem in each.problems:
            print(annotation(problem, each.spec))
        for note in each.notes:
            print(f"::notice title=note::{_escaped(f'{each.spec}: {note}')}")


def annotation(problem: Problem, spec: str) -> str:
    """Return a problem as a workflow command, which GitHub shows at the line.

    The escapes are those of ``toolkit/packages/core/src/command.ts`` of github.com/actions. A
    problem outside the file, such as one in an override, has no file.
    """
    properties = {"title": problem.code}
    message = problem.message
    if problem.path:
        message = f"{printable(problem.path)}: {message}"
    if problem.position is not None:
        place = {"line": str(problem.position.line), "col": str(problem.position.column)}
        properties = {"file": problem.source, **place, **properties}
    elif problem.source == spec:
        properties = {"file": spec, **properties}
    else:
        message = f"{problem.source}: {message}"
    listed = ",".join(f"{key}={_escaped(each, ':,')}" for key, each in properties.items())
    return f"::error {listed}::{_escaped(message)}"


def _escaped(text: str, also: Iterable[str] = "") -> str:
    text = printable(text, keep="\r\n")
    for each in ("%", "\r", "\n", *also):
        text = text.replace(each, f"%{ord(each):02X}")
    return text
