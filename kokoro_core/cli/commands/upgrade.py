"""The command ``upgrade``: rewrite spec files of an old format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kokoro_core.cli.errors import lines_of
from kokoro_core.cli.output import print_error, print_file, write_file
from kokoro_core.cli.session import Session, session_of

if TYPE_CHECKING:
    from kokoro_core.spec.problems.problem import Problem


def upgrade(
    ctx: typer.Context,
    file: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Spec files.")],
    write: Annotated[
        bool, typer.Option("--write", help="Rewrite the files instead of printing the text.")
    ] = False,
) -> None:
    """Rewrite specs of an old format, keeping comments, and check the result."""
    session = session_of(ctx)
    right = [_upgrade(each, session, write=write) for each in file]
    if not all(right):
        raise typer.Exit(1)


def _upgrade(path: Path, session: Session, *, write: bool) -> bool:
    """Upgrade a file and return whether it is now valid; an unreadable one is reported."""
    try:
        return not upgrade_file(path, session, write=write)
    except OSError as error:
        if str(path) in session.plugins.specs and not path.exists():
            print_error(
                f"There is no spec file `{path}`; a named spec comes with its plugin, which "
                f"upgrades it."
            )
            return False
        for line in lines_of(error) or [str(error)]:
            print_error(line)
        return False


def upgrade_file(path: Path, session: Session, *, write: bool) -> list[Problem]:
    """Upgrade a file, report the steps on standard error and return the remaining problems.

    Raises:
        FileNotFoundError: The file does not exist.
    """
    from kokoro_core.spec.load import read_file
    from kokoro_core.spec.problems.problem import SpecError
    from kokoro_core.spec.text.upgrade import upgrade_text

    written = read_file(path)
    try:
        upgraded = upgrade_text(written, str(path), session.plugins)
    except SpecError as error:
        return _told(error)
    for step in upgraded.steps:
        print_error(f"{path}: {step}")
    if not write:
        print_file(upgraded.text)
    elif upgraded.steps:
        write_file(path, upgraded.text)
    problems = _problems(upgraded.text, path, session)
    if not upgraded.steps and not any(each.path in ("format", "") for each in problems):
        print_error(f"{path}: is up to date")
    return problems


def _problems(text: str, path: Path, session: Session) -> list[Problem]:
    from kokoro_core.spec.check import check
    from kokoro_core.spec.problems.problem import SpecError
    from kokoro_core.spec.text.parse import parse

    try:
        check(parse(text, str(path)), session.plugins)
    except SpecError as error:
        return _told(error)
    return []


def _told(error: Exception) -> list[Problem]:
    from kokoro_core.spec.problems.problem import SpecError

    problems = list(error.problems) if isinstance(error, SpecError) else []
    for each in problems:
        print_error(str(each))
    return problems
