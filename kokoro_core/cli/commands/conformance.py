"""The command ``conformance``: test components against their contracts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from kokoro_core.cli.commands.conformance_output import (
    advancing,
    print_checks,
    print_report,
)
from kokoro_core.cli.output import print_json, print_note
from kokoro_core.cli.session import Session, session_of
from kokoro_core.cli.toolkit import JsonOption

if TYPE_CHECKING:
    from kokoro_core.testing.subjects.subject import Subject


class LevelChoice(StrEnum):
    """How much each check tries."""

    FAST = "fast"
    CI = "ci"
    NIGHTLY = "nightly"


LevelOption = Annotated[LevelChoice, typer.Option(help="How much each check tries.")]
TargetsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET...",
        help="Components (encoder/transformer, transformer), plugins (transformer/), specs, params "
        "classes (acme.params:AcmeParams, acme.py:AcmeParams).",
    ),
]


def conformance(
    ctx: typer.Context,
    target: TargetsArgument = None,
    level: LevelOption = LevelChoice.FAST,
    check: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only this check; can be repeated.")
    ] = None,
    case: Annotated[
        str | None, typer.Option(metavar="JSON", help="The only data to test; needs one --check.")
    ] = None,
    settings: Annotated[
        str | None, typer.Option(metavar="JSON", help="Settings of the one component.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="Only this one of its small configurations; '' is the first.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the generated data.")] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=REASON", help="A failure that must occur; can be repeated."),
    ] = None,
    golden: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Expected names and shapes of the state.")
    ] = None,
    write_golden: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write names and shapes of the state, and exit."),
    ] = None,
    version: Annotated[
        int | None, typer.Option(metavar="N", help="Version of the checks; newer ones only warn.")
    ] = None,
    list_checks: Annotated[bool, typer.Option("--list", help="List the checks, and exit.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show every check, and why some are skipped.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Test components against their contracts: padding, batches, steps, caches and weights."""
    if list_checks:
        if target:
            raise typer.BadParameter(
                f"--list lists every check and ends; leave out {' '.join(target)}"
            )
        print_checks(as_json)
        return
    if write_golden is not None:
        _refuse_beside_writing(ctx)
    with _as_usage():
        subjects = _subjects(target or [], settings, variant, golden, session_of(ctx))
    if write_golden is not None:
        with _as_usage():
            _write_golden(subjects, write_golden)
        return
    with _as_usage(), _no_traces():
        from kokoro_core.testing.engine.component import plan_of, prepare

        expected = dict(map(_expected, expect or []))
        plan = plan_of(level.value, seed, case, expected, version, golden)
        run = prepare(subjects, plan, check)
        report = run.report(advancing(run.results(), len(run.pairs)))
    if as_json:
        print_json(report.as_dict())
    else:
        print_report(report, verbose)
    if not report.ok:
        raise typer.Exit(1)


def _refuse_beside_writing(ctx: typer.Context) -> None:
    """Reject options of a run if there is no run.

    Raises:
        BadParameter: One is given.
    """
    options = {each: f"--{each}" for each in ("check", "case", "seed", "expect", "level")}
    for parameter, option in {**options, "version": "--version", "as_json": "--json"}.items():
        source = ctx.get_parameter_source(parameter)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"--write-golden writes and ends; leave out {option}")


def _subjects(
    targets: list[str],
    settings: str | None,
    variant: str | None,
    golden: Path | None,
    session: Session,
) -> list[Subject]:
    """Return the subjects that the arguments name."""
    from kokoro_core.testing.engine.component import Target, subjects_of, with_golden
    from kokoro_core.testing.engine.targets import params_of, targets_named

    found: list[Target] = []
    for each in targets:
        named = targets_named(each, session.plugins, print_note)
        found += [target for target in named if target not in found]
    if not found:
        raise ValueError("name a component, a plugin, a spec or a params class, or give --list.")
    if settings is not None:
        if len(found) != 1 or not isinstance(found[0], type):
            raise ValueError("`--settings` needs one component.")
        found = [params_of(found[0], settings, session.plugins)]
    subjects = with_golden(subjects_of(found), golden)
    chosen = [each for each in subjects if variant in (None, each.variant)]
    if not chosen:
        known = ", ".join(repr(each.variant) for each in subjects)
        raise ValueError(f"`--variant {variant}` is not a configuration; the choices are {known}.")
    return chosen if variant is None else [replace(each, first=True) for each in chosen]


def _write_golden(subjects: list[Subject], file: Path) -> None:
    from kokoro_core.testing.engine.golden import write_golden

    write_golden(subjects, file)
    print(f"{file}: {', '.join(each.name for each in subjects)}")


def _expected(text: str) -> tuple[str, str]:
    name, equals, reason = text.partition("=")
    if not equals:
        raise ValueError(f"`--expect {text}` must be ID=REASON.")
    return name, reason


@contextmanager
def _no_traces() -> Iterator[None]:
    """Keep hypothesis from creating its folder in the current one."""
    if find_spec("hypothesis") is None:
        yield
        return
    from hypothesis.configuration import set_hypothesis_home_dir

    with TemporaryDirectory(prefix="kokoro-") as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


@contextmanager
def _as_usage() -> Iterator[None]:
    """Report wrong arguments as wrong usage; a failed check raises nothing."""
    from kokoro_core.spec.problems.problem import SpecError
    from registry.errors import RegistryError

    try:
        yield
    except SpecError:
        raise
    except (ValueError, RegistryError) as error:
        raise typer.BadParameter(str(error)) from error
