"""How the problems of specs are printed: for people, for programs, for GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from kokoro_core.cli.output import print_error, print_json

if TYPE_CHECKING:
    from kokoro_core.spec.problems import Problem

Found = Sequence[tuple[str, Sequence["Problem"]]]
"""Each spec as the user named it, with its problems."""


class Format(StrEnum):
    """What the output is for."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def report(found: Found, format: Format) -> None:
    """Print what was found in specs."""
    {Format.TEXT: _text, Format.JSON: _json, Format.GITHUB: _github}[format](found)


def _text(found: Found) -> None:
    for name, problems in found:
        for problem in problems:
            print_error(str(problem))
        if not problems:
            print(f"{name}: ok")


def _json(found: Found) -> None:
    print_json(
        [{"spec": name, "problems": [each.as_dict() for each in found]} for name, found in found]
    )


def _github(found: Found) -> None:
    for name, problems in found:
        for problem in problems:
            print(annotation(problem, name))


def annotation(problem: Problem, spec: str) -> str:
    """Return a problem as a workflow command, which GitHub shows beside the line.

    The escapes are those of ``toolkit/packages/core/src/command.ts`` of github.com/actions. What
    does not stand in the file itself, an override for example, has no file.
    """
    properties = {"title": problem.code}
    message = f"{problem.path}: {problem.message}" if problem.path else problem.message
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
    for each in ("%", "\r", "\n", *also):
        text = text.replace(each, f"%{ord(each):02X}")
    return text
