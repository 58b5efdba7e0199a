"""The command ``check``, and how commands read the specs that they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kokoro_core.cli.output import print_error, print_json
from kokoro_core.cli.session import Session, session_of

if TYPE_CHECKING:
    from kokoro_core.spec.model_spec import ModelSpec
    from kokoro_core.spec.problems import Problem

SpecArgument = Annotated[str, typer.Argument(metavar="SPEC", help="A spec file or a named spec.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a setting; can be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def check(
    ctx: typer.Context,
    spec: Annotated[
        list[str], typer.Argument(metavar="SPEC...", help="Spec files and named specs.")
    ],
    override: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check specs and report every problem with its line and column; imports no torch."""
    session = session_of(ctx)
    found = [(each, problems_of(each, override or [], session)) for each in spec]
    if as_json:
        print_json(
            [{"spec": name, "problems": [p.as_dict() for p in each]} for name, each in found]
        )
    else:
        for name, problems in found:
            for problem in problems:
                print_error(str(problem))
            if not problems:
                print(f"{name}: ok")
    if any(problems for _, problems in found):
        raise typer.Exit(1)


def problems_of(source: str, settings: list[str], session: Session) -> list[Problem]:
    """Return the problems of one spec."""
    from kokoro_core.spec.problems import Problem, SpecError
    from registry.errors import UnknownNamedSpec

    try:
        load_with(source, settings, session)
    except SpecError as error:
        return list(error.problems)
    except (OSError, UnknownNamedSpec) as error:
        return [Problem("no-such-spec", "", str(error), source)]
    return []


def load_with(source: str, settings: list[str] | None, session: Session) -> ModelSpec:
    """Return the spec behind an argument, with the overrides of ``--set``.

    Raises:
        SpecError: The spec or an override has problems.
        FileNotFoundError: The path leads to no file.
        UnknownNamedSpec: No plugin ships a spec of that name.
    """
    from kokoro_core.spec.load import load
    from kokoro_core.spec.overrides import overrides_from_text

    return load(source, overrides_from_text(settings or []), session.plugins)
