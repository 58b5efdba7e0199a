"""The command ``check``: every problem of specs, with line and column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kokoro_core.cli.reporting import Checked, Format, report
from kokoro_core.cli.session import Session, session_of
from kokoro_core.cli.toolkit import JsonOption, LimitOption, SetOption, load_with
from kokoro_core.params.sizes import MAX_PARAMETERS

if TYPE_CHECKING:
    from kokoro_core.spec.tree.model_spec import ModelSpec
FormatOption = Annotated[
    Format, typer.Option("--format", help="Output format of problems; github: annotations.")
]


def check(
    ctx: typer.Context,
    spec: Annotated[
        list[str], typer.Argument(metavar="SPEC...", help="Spec files and named specs.")
    ],
    override: SetOption = None,
    max_parameters: LimitOption = MAX_PARAMETERS,
    format: FormatOption = Format.TEXT,
    as_json: JsonOption = False,
) -> None:
    """Check specs and report every problem with its line and column; imports no torch."""
    if as_json and format is Format.GITHUB:
        raise typer.BadParameter("--json is --format json; leave one of the two out")
    session = session_of(ctx)
    settings = override or []
    found = [check_one(each, settings, session, max_parameters) for each in spec]
    report(found, Format.JSON if as_json else format)
    if any(each.problems for each in found):
        raise typer.Exit(1)


def check_one(
    source: str, settings: list[str], session: Session, max_parameters: int = MAX_PARAMETERS
) -> Checked:
    """Return the problems of a spec, and notes about it."""
    from kokoro_core.spec.problems.problem import Problem, SpecError
    from registry.errors import UnknownNamedSpec

    notes: list[str] = []
    try:
        spec = load_with(source, settings, session, max_parameters, notes.append)
    except SpecError as error:
        return Checked(source, error.problems, notes)
    except (OSError, UnknownNamedSpec) as error:
        return Checked(source, [Problem("no-such-spec", "", str(error), source)])
    return Checked(source, (), [*notes, *notes_of(spec)])


def notes_of(spec: ModelSpec) -> list[str]:
    """Return notes about a valid spec: what is unlimited, unused, or given by no command."""
    from kokoro_core.spec.rules.part_names import unused
    from kokoro_core.spec.rules.side_inputs import refusal_of_side_inputs

    refusal = refusal_of_side_inputs(spec)
    return [*size_notes(spec), *unused(spec), *([refusal] if refusal else [])]


def size_notes(spec: ModelSpec) -> list[str]:
    """Return one line per component of a model that size limits cannot cover."""
    from kokoro_core.spec.rules.limits import uncounted

    return [f"size of {path} unknown; not limited" for path in uncounted(spec)]
