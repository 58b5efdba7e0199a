"""Output of the command ``conformance``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from kokoro_core.cli.output import print_json, print_table
from registry.text import printable

if TYPE_CHECKING:
    from kokoro_core.testing.engine.report import Report, Result

_ALWAYS = ("passed", "failed", "skipped")
_SOMETIMES = ("expected", "unexpected", "warned", "blocked")
_TITLES = {"unexpected": "not as expected", "blocked": "not run"}


def print_checks(as_json: bool) -> None:
    """Print the list of checks."""
    from kokoro_core.testing.checks import CHECKS, CONFORMANCE_VERSION

    fields = ("id", "since", "slots", "meaning", "bug")
    checks = [{name: getattr(each, name) for name in fields} for each in CHECKS]
    if as_json:
        print_json({"conformance_version": CONFORMANCE_VERSION, "checks": checks})
        return
    rows = [tuple({**each, "slots": ", ".join(each["slots"])}.values()) for each in checks]
    print_table(("check", "since", "slots", "what it says", "a real bug"), rows)


def advancing(results: Iterable[Result], total: int) -> Iterator[Result]:
    """Yield results as they arrive, and show their number on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=total)
        for each in results:
            bar.update(task, advance=1, description=printable(each.id))
            yield each


def print_report(report: Report, verbose: bool) -> None:
    """Print one line per component, then the failures, then a summary."""
    counts = report.counts()
    statuses = [*_ALWAYS, *(each for each in _SOMETIMES if counts.get(each))]
    columns = ("component", *(_TITLES.get(each, each) for each in statuses), "seconds")
    print_table(columns, [_row(name, found, statuses) for name, found in _by_component(report)])
    if verbose:
        print()
        print_table(
            ("check", "status", "seconds", "why"),
            [(each.id, each.status, f"{each.seconds:.2f}", each.reason) for each in report.results],
        )
    for each in report.results:
        if each.status in ("failed", "unexpected", "warned"):
            print(f"\n{printable(each.explain(), keep=chr(10))}")
    for line in (*report.blocked(), *report.notes):
        print(f"\n{printable(line)}")
    print(f"\n{_summary(report, counts)}")


def _by_component(report: Report) -> list[tuple[str, list[Result]]]:
    found: dict[str, list[Result]] = {}
    for each in report.results:
        found.setdefault(each.component, []).append(each)
    return list(found.items())


def _row(name: str, results: list[Result], statuses: list[str]) -> tuple[Any, ...]:
    counts = [sum(each.status == status for each in results) for status in statuses]
    return (name, *counts, f"{sum(each.seconds for each in results):.1f}")


def _summary(report: Report, counts: dict[str, int]) -> str:
    counted = sorted(counts.items())
    said = ", ".join(f"{num} {'not run' if each == 'blocked' else each}" for each, num in counted)
    verdict = "conforms" if report.ok else "does not conform"
    return (
        f"{verdict}: {said} (level {report.level}, seed {report.seed}, version {report.version} "
        f"of the checks)"
    )
