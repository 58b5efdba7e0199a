"""How the command ``conformance`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from kokoro_core.cli.output import print_json, print_table
from registry.text import printable

if TYPE_CHECKING:
    from kokoro_core.testing.engine.report import Report, Result

_ALWAYS = ("passed", "failed", "skipped")
_SOMETIMES = {
    "expected": "expected",
    "unexpected": "not as expected",
    "warned": "warned",
    "blocked": "not run",
}


def print_checks(as_json: bool) -> None:
    """Print the list of checks."""
    from kokoro_core.testing.checks import CHECKS, CONFORMANCE_VERSION

    if as_json:
        listed = [
            {
                "id": each.id,
                "since": each.since,
                "slots": list(each.slots),
                "meaning": each.meaning,
                "bug": each.bug,
            }
            for each in CHECKS
        ]
        print_json({"conformance_version": CONFORMANCE_VERSION, "checks": listed})
        return
    rows = [(each.id, each.since, ", ".join(each.slots), each.meaning, each.bug) for each in CHECKS]
    print_table(("check", "since", "slots", "what it says", "a real bug"), rows)


def advancing(results: Iterable[Result], total: int) -> Iterator[Result]:
    """Yield results as they come, and show on a terminal how many have come."""
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


def print_report_json(report: Report) -> None:
    """Print all results as JSON."""
    print_json(report.as_dict())


def print_report(report: Report, verbose: bool) -> None:
    """Print a line for each component, then what failed, then a line for all."""
    counts = report.counts()
    statuses = [*_ALWAYS, *(each for each in _SOMETIMES if counts.get(each))]
    columns = ("component", *(_SOMETIMES.get(each, each) for each in statuses), "seconds")
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


_SUMMARISED = {"blocked": "not run"}


def _summary(report: Report, counts: dict[str, int]) -> str:
    named = [(_SUMMARISED.get(status, status), count) for status, count in sorted(counts.items())]
    said = ", ".join(f"{count} {status}" for status, count in named)
    verdict = "conforms" if report.ok else "does not conform"
    return (
        f"{verdict}: {said} (level {report.level}, seed {report.seed}, version {report.version} "
        f"of the checks)"
    )
