"""The command ``check``, and how commands read the specs that they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from kokoro_core.cli.output import print_note
from kokoro_core.cli.reporting import Checked, Format, report
from kokoro_core.cli.session import Session, session_of
from kokoro_core.spec.sizes import MAX_PARAMETERS

if TYPE_CHECKING:
    from kokoro_core.spec.model_spec import ModelSpec

SpecArgument = Annotated[str, typer.Argument(metavar="SPEC", help="A spec file or a named spec.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a setting; can be repeated."),
]
FormatOption = Annotated[
    Format, typer.Option("--format", help="How problems are printed; github: as annotations.")
]
LimitOption = Annotated[
    int, typer.Option("--max-parameters", min=1, metavar="COUNT", help="Refuse larger models.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


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
    """Return the problems of one spec, and what to know of it."""
    from kokoro_core.spec.problems import Problem, SpecError
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
    """Return what else to know of a right spec: what no limit holds, what no command can give."""
    from kokoro_core.spec.side_inputs import refusal_of_side_inputs

    refusal = refusal_of_side_inputs(spec)
    return [*size_notes(spec), *([refusal] if refusal else [])]


def size_notes(spec: ModelSpec) -> list[str]:
    """Return a line for each component of a model that no limit of size holds."""
    from kokoro_core.spec.limits import uncounted

    return [f"size of {path} unknown; not limited" for path in uncounted(spec)]


def load_with(
    source: str,
    settings: list[str] | None,
    session: Session,
    max_parameters: int = MAX_PARAMETERS,
    note: Callable[[str], None] = print_note,
    option: str = "--set",
) -> ModelSpec:
    """Return the spec behind an argument, with the overrides of ``--set`` or of another option.

    What else an override changed is said on standard error, unless the caller says it.

    Raises:
        SpecError: The spec or an override has problems.
        FileNotFoundError: The path leads to no file.
        UnknownNamedSpec: No plugin ships a spec of that name.
    """
    from kokoro_core.spec.load import load
    from kokoro_core.spec.overrides import overrides_from_text

    overrides = overrides_from_text(settings or [], option)
    return load(source, overrides, session.plugins, max_parameters, note)
