"""Run cases, one after the other, and keep what they find."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from kokoro_core.kernels import cpu
from kokoro_plugins.bench.catalogue import Case
from kokoro_plugins.bench.machine import machine_facts
from kokoro_plugins.bench.results import CaseResult
from kokoro_plugins.bench.sizes import Scale

FORMAT_VERSION = 1

PARTS = frozenset(
    {"machine", "threads", "name", "title", "measurements", "growth", "verdicts", "notes"}
)
"""What the tables are made from."""


def run_case(case: Case, scale: Scale, threads: int) -> dict[str, Any]:
    """Measure a case with a number of threads and return it as JSON has it."""
    with _threads(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of settings of the peers, which are meant
        torch.manual_seed(0)
        found = case.load()(scale, threads)
    if slow_bfloat16(found, scale.device):
        found.notes.append(
            "This processor has no instructions for bfloat16, so bars for it cannot be met here."
        )
    return {
        "format": FORMAT_VERSION,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine_facts(),
        "scale": asdict(scale),
        "threads": threads,
        **found.report(),
    }


def slow_bfloat16(result: CaseResult, device: str) -> bool:
    """Return whether something was measured in bfloat16 on a processor that emulates it."""
    there = any("bfloat16" in each.contender for each in result.measurements)
    return there and device == "cpu" and not cpu.processor().bfloat16_instructions


def run_cases(
    cases: Sequence[Case],
    scale: Scale,
    threads: Sequence[int],
    out: Path | None,
    note: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Measure cases; with a folder each is written to it as soon as it is done.

    Returns:
        What was measured; with a folder also what was in it from before.
    """
    if out is not None:
        check_folder(out)
    done = []
    for case in cases:
        for count in threads:
            note(f"{case.name}, {count} thread{'' if count == 1 else 's'} …")
            found = run_case(case, scale, count)
            done.append(found)
            if out is not None:
                write_result(out, found)
    return done if out is None else read_results(out)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def write_result(folder: Path, found: dict[str, Any]) -> Path:
    """Write a result to a file of its own, in place of an older one of the same case."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found['name']}-{found['threads']}.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return path


def check_folder(folder: Path) -> None:
    """Refuse a folder that results cannot be kept in, before anything is measured.

    Raises:
        ValueError: It is a file, or holds one that is not a result.
        OSError: It cannot be made.
    """
    for each in (folder, *folder.parents):
        if os.path.lexists(each) and not each.is_dir():
            raise ValueError(f"`--out {folder}` must be a folder, but `{each}` is a file.")
    folder.mkdir(parents=True, exist_ok=True)
    read_results(folder)


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Return the results in a folder, by name and threads.

    Raises:
        ValueError: A file is not a result of this format.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            result = None
        is_complete = isinstance(result, dict) and result.keys() >= PARTS
        if not is_complete or result.get("format") != FORMAT_VERSION:
            raise ValueError(
                f"`{path}` must be a result of `kokoro-core bench` in format {FORMAT_VERSION}; "
                f"give `--out` a folder of its own."
            )
        found.append(result)
    return found
