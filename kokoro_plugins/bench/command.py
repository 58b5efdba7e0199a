"""The command ``bench``."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kokoro_core.cli.toolkit import (
    JsonOption,
    check_device,
    print_error,
    print_json,
    print_note,
    print_table,
)
from kokoro_plugins.bench.catalogue import CASES, Case, cases_between_commits, cases_named

if TYPE_CHECKING:
    from kokoro_plugins.bench.against.compare import Comparison, Request
    from kokoro_plugins.bench.sizes import Scale

PEERS = "transformers"
TABLES = "results.md"
COMPARING = "Beside another commit"
ROUNDS, QUICK_ROUNDS = 20, 5
"""Rounds beside another commit: a ratio near 1 needs more of them than one to a peer."""


def bench(
    cases: Annotated[list[str] | None, typer.Argument(help="Cases; all without any.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer lengths, batches and rounds.")
    ] = False,
    threads: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            max=1024,
            help="Threads; can be repeated.  [default: 1, 2; with --against and --quick: 1]",
        ),
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Turns that each takes.")] = None,
    device: Annotated[str, typer.Option(help="Where models speak: cpu, cuda or mps.")] = "cpu",
    out: Annotated[
        Path | None, typer.Option(help="A folder: a file a case, and all tables.")
    ] = None,
    list_cases: Annotated[bool, typer.Option("--list", help="List the cases.")] = False,
    as_json: JsonOption = False,
    against: Annotated[
        str | None,
        typer.Option(metavar="COMMIT", help="The other commit.", rich_help_panel=COMPARING),
    ] = None,
    repository: Annotated[
        Path | None,
        typer.Option(help="Where it is.  [default: the source's]", rich_help_panel=COMPARING),
    ] = None,
    spec: Annotated[
        str | None,
        typer.Option(help="Named spec or file.  [default: default]", rich_help_panel=COMPARING),
    ] = None,
    processor_time: Annotated[
        bool,
        typer.Option(
            "--processor-time",
            help="Compare it instead of wall time: other work on the machine disturbs it less.",
            rich_help_panel=COMPARING,
        ),
    ] = False,
    fail_above: Annotated[
        float | None,
        typer.Option(
            metavar="RATIO",
            help="Exit with 1 where the median of new / old is above.",
            rich_help_panel=COMPARING,
        ),
    ] = None,
) -> None:
    """Measure speed and memory beside other implementations of equal size.

    All run in one process and take turns; each figure is a median over the turns. With `--out`
    results that are in the folder already stay, so that cases can be measured one at a time.

    With `--against` the working tree is measured beside another commit instead, each in a process
    of its own, by turns; the figures are ratios of times, new / old.
    """
    if list_cases:
        _print_cases(as_json)
    elif against is None:
        chosen = cases_named(cases or [])
        _refuse_alone(
            {
                "--repository": repository,
                "--spec": spec,
                "--processor-time": processor_time or None,
                "--fail-above": fail_above,
            }
        )
        check_device(device)
        counts = threads or ([1] if quick else [1, 2])
        _measure(chosen, _scale(quick, rounds, device), counts, out, as_json)
    else:
        chosen = cases_between_commits(cases or [])
        _check_comparison(out, fail_above)
        check_device(device)
        scale = _scale(quick, rounds or (QUICK_ROUNDS if quick else ROUNDS), device)
        from kokoro_plugins.bench.against.compare import Request

        request = Request(
            chosen,
            against,
            repository,
            spec or "default",
            threads or [1],
            "process_time" if processor_time else "perf_counter",
            scale,
        )
        found = _compare(request, as_json)
        if fail_above is not None and _exceeds(found, fail_above):
            raise typer.Exit(1)


def _print_cases(as_json: bool) -> None:
    if as_json:
        print_json([{"name": case.name, "help": case.help} for case in CASES])
    else:
        print_table(["case", ""], [[case.name, case.help] for case in CASES])


def _refuse_alone(options: dict[str, Any]) -> None:
    """Refuse options that say something of another commit where there is none."""
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"`{name}` needs `--against COMMIT`.")


def _check_comparison(out: Path | None, fail_above: float | None) -> None:
    if out is not None:
        raise ValueError("`--out` does not go with `--against`; `--json` prints every sample.")
    if fail_above is not None and not (0 < fail_above < math.inf):
        raise ValueError(f"`--fail-above` must be a ratio above 0, such as 1.03, not {fail_above}.")


def _measure(
    cases: list[Case], scale: Scale, threads: list[int], out: Path | None, as_json: bool
) -> None:
    check_installed()
    from kokoro_plugins.bench.report import markdown
    from kokoro_plugins.bench.runner import run_cases

    found = run_cases(cases, scale, threads, out, print_error)
    if out is not None:
        (out / TABLES).write_text(markdown(found), encoding="utf-8")
    if as_json:
        print_json(found)
    else:
        print_report(found)


def _compare(request: Request, as_json: bool) -> list[Comparison]:
    from kokoro_plugins.bench.against.compare import compare, report, table

    found = compare(request, print_error)
    for new, old in {each.parameters for each in found}:
        if new != old:
            print_note(
                f"`{request.spec}` has {new:,} parameters now and {old:,} in "
                f"`{request.against}`: the ratios are of different models."
            )
    if as_json:
        print_json(report(request, found))
    else:
        print("Times of the working tree / times of the commit, over the rounds:")
        print_table(*table(found))
    return found


def _exceeds(comparisons: list[Comparison], bar: float) -> bool:
    """Return whether a median is above the bar, and say which."""
    above = [each for each in comparisons if each.median > bar]
    for each in above:
        print_error(
            f"`{each.case}` takes {each.median:.3f} times as long on {each.threads} "
            f"thread{'' if each.threads == 1 else 's'}; `--fail-above` allows {bar:g}."
        )
    return bool(above)


def check_installed() -> None:
    """Refuse to start without the peers.

    Raises:
        ModuleNotFoundError: They are not installed.
    """
    if find_spec(PEERS) is None:
        raise ModuleNotFoundError(f"`{PEERS}` is not installed.", name=PEERS)


def _scale(quick: bool, rounds: int | None, device: str) -> Scale:
    from kokoro_plugins.bench.sizes import Scale

    scale = Scale.quick() if quick else Scale()
    return replace(scale, device=device, rounds=rounds or scale.rounds)


def print_report(found: list[dict[str, Any]]) -> None:
    """Print the tables of all results, the bars last."""
    from kokoro_plugins.bench.report import growth_table, measurement_table, verdict_table

    for result in found:
        print(f"\n{result['title']} ({result['threads']} threads)")
        print_table(*measurement_table(result))
        if result["growth"]:
            print_table(*growth_table(result))
        for note in result["notes"]:
            print(note)
    print()
    print_table(*verdict_table(found))
