"""Both sides in turns, and the ratios of their times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from kokoro_plugins.bench.against.checkout import Checkout, checked_out
from kokoro_plugins.bench.against.side import started
from kokoro_plugins.bench.catalogue import Case
from kokoro_plugins.bench.machine import machine_facts
from kokoro_plugins.bench.sizes import Scale
from kokoro_plugins.bench.timing import Contender, Timing, take_turns

FORMAT_VERSION = 1
COLUMNS = ["case", "threads", "min", "quartile", "median", "quartile", "max", "new ms", "old ms"]


@dataclass(frozen=True)
class Measured:
    """A case on one side.

    Attributes:
        parameters: Of the model; the sides differ where the spec has changed.
        timing: Seconds of a run, a sample a round.
    """

    parameters: int
    timing: Timing

    def report(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return {
            "parameters": self.parameters,
            "median_s": self.timing.median,
            "samples_s": list(self.timing.samples),
        }


@dataclass(frozen=True)
class Comparison:
    """A case on both sides.

    Attributes:
        case: Its name.
        threads: Of each side.
        new: The working tree.
        old: The commit.
    """

    case: str
    threads: int
    new: Measured
    old: Measured

    def ratios(self) -> list[float]:
        """Return the min, quartile, median, quartile and max of new / old over the rounds."""
        rounds = np.divide(self.new.timing.samples, self.old.timing.samples)
        return [float(each) for each in np.quantile(rounds, [0, 0.25, 0.5, 0.75, 1])]

    @property
    def median(self) -> float:
        """The median of new / old over the rounds."""
        return self.ratios()[2]

    def report(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return {
            "case": self.case,
            "threads": self.threads,
            "ratio": dict(zip(("min", "q1", "median", "q3", "max"), self.ratios(), strict=True)),
            "new": self.new.report(),
            "old": self.old.report(),
        }


def compare(
    cases: Sequence[Case],
    commit: str,
    repository: Path | None,
    spec: str,
    scale: Scale,
    threads: Sequence[int],
    note: Callable[[str], None],
) -> list[Comparison]:
    """Time cases in the working tree and in a commit by turns, one pair of processes a case.

    Args:
        cases: What is run.
        commit: Whatever git takes for one.
        repository: The folder of the repository; None: that of the source.
        spec: A named spec, which each side reads in its own version, or a file.
        scale: How much is run, and for how many rounds.
        threads: Counts of threads, equal on both sides.
        note: Says what is being done.

    Raises:
        ValueError: There is no such commit, or one of the sides cannot run a case.
    """
    found = []
    with checked_out(commit, repository) as (new, old):
        for case in cases:
            for count in threads:
                note(f"{case.name}, {count} thread{'' if count == 1 else 's'}, beside {commit} …")
                settings = _settings(case, spec, scale, count)
                found.append(_compare_case(case, new, old, settings, scale))
    return found


def _settings(case: Case, spec: str, scale: Scale, threads: int) -> dict[str, Any]:
    return {
        "case": case.name,
        "spec": spec,
        "threads": threads,
        "device": scale.device,
        "frames": scale.utterance,
        "training": scale.training,
    }


def _compare_case(
    case: Case, new: Checkout, old: Checkout, settings: dict[str, Any], scale: Scale
) -> Comparison:
    with (
        TemporaryDirectory() as new_folder,
        TemporaryDirectory() as old_folder,
        started(new, {**settings, "folder": new_folder}) as ours,
        started(old, {**settings, "folder": old_folder}) as theirs,
    ):
        old_parameters, new_parameters = theirs.wait_until_ready(), ours.wait_until_ready()
        timings = take_turns(
            {"new": Contender(ours.run), "old": Contender(theirs.run)},
            rounds=scale.rounds,
            block_seconds=scale.block_seconds,
        )
    return Comparison(
        case.name,
        settings["threads"],
        Measured(new_parameters, timings["new"]),
        Measured(old_parameters, timings["old"]),
    )


def table(comparisons: Sequence[Comparison]) -> tuple[list[str], list[list[str]]]:
    """Return the ratios new / old, and the medians of both sides in milliseconds."""
    rows = [
        [
            each.case,
            str(each.threads),
            *(f"{ratio:.3f}" for ratio in each.ratios()),
            *(f"{side.timing.median * 1000:,.2f}" for side in (each.new, each.old)),
        ]
        for each in comparisons
    ]
    return COLUMNS, rows


def report(
    comparisons: Sequence[Comparison], commit: str, spec: str, scale: Scale
) -> dict[str, Any]:
    """Return everything as JSON has it."""
    return {
        "format": FORMAT_VERSION,
        "against": commit,
        "spec": spec,
        "scale": asdict(scale),
        "machine": machine_facts(),
        "comparisons": [each.report() for each in comparisons],
    }
