"""Both sides in turns, and the ratios of their times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from kokoro_plugins.bench.against.checkout import Checkout, checked_out
from kokoro_plugins.bench.against.side import Side, started
from kokoro_plugins.bench.catalogue import Case
from kokoro_plugins.bench.machine import machine_facts
from kokoro_plugins.bench.sizes import Scale
from kokoro_plugins.bench.timing import Contender, Timing, take_turns

FORMAT_VERSION = 1
ROUNDS_OF_A_PAIR = 4
"""Rounds of one pair of processes. A process may be a fifth faster or slower than another of the
same code for all its life, as its memory happens to lie, so that a ratio needs several of them."""
COLUMNS = ["case", "threads", "min", "quartile", "median", "quartile", "max", "new ms", "old ms"]


@dataclass(frozen=True)
class Request:
    """What is to be compared.

    Attributes:
        cases: What is run.
        against: The commit, as git takes it.
        repository: Its folder; None: that of the source.
        spec: A named spec, which each side reads in its own version, or a file.
        threads: Counts of threads, equal on both sides.
        clock: The function of `time` that each side measures itself with.
        scale: How much is run, and for how many rounds.
    """

    cases: Sequence[Case]
    against: str
    repository: Path | None = None
    spec: str = "default"
    threads: Sequence[int] = (1,)
    clock: Literal["perf_counter", "process_time"] = "perf_counter"
    scale: Scale = field(default_factory=Scale)


@dataclass(frozen=True)
class Comparison:
    """A case on both sides.

    Attributes:
        case: Its name.
        threads: Of each side.
        parameters: Of the working tree's model and of the commit's.
        new: Times of the working tree, a sample a round.
        old: Times of the commit.
    """

    case: str
    threads: int
    parameters: tuple[int, int]
    new: Timing
    old: Timing

    def ratios(self) -> list[float]:
        """Return the min, quartile, median, quartile and max of new / old over the rounds."""
        rounds = np.divide(self.new.samples, self.old.samples)
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
            "new": {"parameters": self.parameters[0], "samples_s": self.new.samples},
            "old": {"parameters": self.parameters[1], "samples_s": self.old.samples},
        }


def compare(request: Request, note: Callable[[str], None]) -> list[Comparison]:
    """Time cases in the working tree and in a commit by turns, in pairs of processes.

    Args:
        request: What is compared.
        note: Says what is being done.

    Raises:
        ValueError: There is no such commit, or one of the sides cannot run a case.
    """
    found = []
    with checked_out(request.against, request.repository) as (new, old):
        for case in request.cases:
            for threads in request.threads:
                plural = "" if threads == 1 else "s"
                note(f"{case.name}, {threads} thread{plural}, beside {request.against} …")
                found.append(_compare_case(case.name, threads, request, new, old))
    return found


def _compare_case(
    case: str, threads: int, request: Request, new: Checkout, old: Checkout
) -> Comparison:
    scale = request.scale
    with TemporaryDirectory() as folder:
        settings = {
            "case": case,
            "spec": request.spec,
            "threads": threads,
            "clock": request.clock,
            "device": scale.device,
            "frames": scale.utterance,
            "training": scale.training,
            "folder": folder,
        }
        pairs = [
            _run_pair(new, old, settings, replace(scale, rounds=rounds))
            for rounds in _rounds_of_pairs(scale.rounds)
        ]
    samples = [
        tuple(sample for _, timings in pairs for sample in timings[side].samples)
        for side in ("new", "old")
    ]
    return Comparison(case, threads, pairs[0][0], *map(Timing, samples))


def _rounds_of_pairs(rounds: int) -> list[int]:
    """Return how many rounds each pair of processes runs."""
    return [min(ROUNDS_OF_A_PAIR, rounds - done) for done in range(0, rounds, ROUNDS_OF_A_PAIR)]


def _run_pair(
    new: Checkout, old: Checkout, settings: dict[str, Any], scale: Scale
) -> tuple[tuple[int, int], dict[str, Timing]]:
    """Return the numbers of parameters and the times of a fresh pair of processes."""
    clock = _SummingClock()
    with started(new, settings) as ours, started(old, settings) as theirs:
        old_parameters, new_parameters = theirs.wait_until_ready(), ours.wait_until_ready()
        timings = take_turns(
            {"new": Contender(clock.running(ours)), "old": Contender(clock.running(theirs))},
            rounds=scale.rounds,
            block_seconds=scale.block_seconds,
            clock=clock,
        )
    return (new_parameters, old_parameters), timings


class _SummingClock:
    """The seconds that both sides have reported: what the pipes take is not among them."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        return self._seconds

    def running(self, side: Side) -> Callable[[], None]:
        """Return what runs a side and moves the clock."""

        def run() -> None:
            self._seconds += side.run()

        return run


def table(comparisons: Sequence[Comparison]) -> tuple[list[str], list[list[str]]]:
    """Return the ratios new / old, and the medians of both sides in milliseconds."""
    rows = [
        [
            each.case,
            str(each.threads),
            *(f"{ratio:.3f}" for ratio in each.ratios()),
            *(f"{timing.median * 1000:,.2f}" for timing in (each.new, each.old)),
        ]
        for each in comparisons
    ]
    return COLUMNS, rows


def report(request: Request, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return everything as JSON has it."""
    return {
        "format": FORMAT_VERSION,
        "against": request.against,
        "spec": request.spec,
        "clock": request.clock,
        "scale": asdict(request.scale),
        "machine": machine_facts(),
        "comparisons": [each.report() for each in comparisons],
    }
