"""The command ``bench``."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kokoro_core.cli.toolkit import check_device, print_error, print_json, print_table
from kokoro_plugins.bench.catalogue import CASES, cases_named

if TYPE_CHECKING:
    from kokoro_plugins.bench.sizes import Scale

PEERS = "transformers"
TABLES, PICTURE = "results.md", "frames.svg"


def bench(
    cases: Annotated[list[str] | None, typer.Argument(help="Cases; all without any.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer lengths, batches and rounds.")
    ] = False,
    threads: Annotated[
        list[int] | None,
        typer.Option(min=1, max=1024, help="Threads; can be repeated.  [default: 1, 2]"),
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="Turns that each takes.")] = None,
    device: Annotated[str, typer.Option(help="Where models speak: cpu, cuda or mps.")] = "cpu",
    out: Annotated[
        Path | None, typer.Option(help="A folder: a file a case, all tables and a picture.")
    ] = None,
    list_cases: Annotated[bool, typer.Option("--list", help="List the cases.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure speed and memory beside other implementations of equal size.

    All run in one process and take turns; each figure is a median over the turns. With `--out`
    results that are in the folder already stay, so that cases can be measured one at a time.
    """
    chosen = cases_named(cases or [])
    if list_cases:
        rows = [{"name": case.name, "help": case.help} for case in CASES]
        print_json(rows) if as_json else print_table(
            ["case", ""], [[case.name, case.help] for case in CASES]
        )
        return
    check_device(device)
    check_installed()
    from kokoro_plugins.bench.runner import run_cases

    counts = threads or ([1] if quick else [1, 2])
    found = run_cases(chosen, _scale(quick, rounds, device), counts, out, print_error)
    if out is not None:
        write_report(found, out)
    if as_json:
        print_json(found)
    else:
        print_report(found)


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


def write_report(found: list[dict[str, Any]], out: Path) -> None:
    """Write the tables, and the picture if the case for it is among the results."""
    from kokoro_plugins.bench.plot import plot_frames
    from kokoro_plugins.bench.report import markdown

    (out / TABLES).write_text(markdown(found), encoding="utf-8")
    if any(result["name"] == "frame" for result in found):
        plot_frames(found, out / PICTURE)


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
