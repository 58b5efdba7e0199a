"""The cases by name, each imported when it is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from registry.text import suggestion

if TYPE_CHECKING:
    from kokoro_plugins.bench.results import CaseResult
    from kokoro_plugins.bench.sizes import Scale


@dataclass(frozen=True)
class Case:
    """Something that is measured.

    Attributes:
        name: What the user types.
        help: A line on it.
        target: The function that measures it, as ``module:function`` below ``cases``.
    """

    name: str
    help: str
    target: str

    def load(self) -> Callable[[Scale, int], CaseResult]:
        """Import the function, which takes the scale and the number of threads."""
        measure: Callable[[Scale, int], CaseResult]
        measure = resolve_name(f"kokoro_plugins.bench.cases.{self.target}")
        return measure


CASES = (
    Case("frame", "one frame of one row after 100 to 1600 frames", "frame:measure"),
    Case("batch", "one frame of 1, 8 and 32 rows", "batch:frames"),
    Case("utterance", "whole utterances, 1, 8 and 32 rows", "batch:utterances"),
    Case("many", "requests of different lengths, 1, 8 and 32 rows at once", "many:measure"),
    Case("training", "a training step, forward and backward", "training:measure"),
    Case("memory", "gradient checkpointing: peak and time by segments", "memory:measure"),
    Case("regulator", "phonemes repeated to frames", "regulator:measure"),
    Case("loading", "a checkpoint from a file to a model", "loading:measure"),
    Case(
        "serving", "a server with 1, 8 and 50 clients, with and without batches", "serving:measure"
    ),
    Case("voice", "the same with a voice that is shipped", "serving:measure_voice"),
)

BETWEEN_COMMITS = ("frame", "utterance", "training", "loading")
"""The cases that need no more than what every commit has: the public class."""


def cases_between_commits(names: Sequence[str]) -> list[Case]:
    """Return the cases of these names, all that can be compared between commits if there are none.

    Raises:
        ValueError: There is no such case, or it needs what other commits do not have.
    """
    cases = cases_named(names or BETWEEN_COMMITS)
    for case in cases:
        if case.name not in BETWEEN_COMMITS:
            raise ValueError(
                f"`{case.name}` cannot be compared with `--against`; "
                f"{', '.join(BETWEEN_COMMITS)} can."
            )
    return cases


def cases_named(names: Sequence[str]) -> list[Case]:
    """Return the cases of these names, all of them if there are none.

    Raises:
        ValueError: There is no such case.
    """
    known = {case.name: case for case in CASES}
    for name in names:
        if name not in known:
            hint = suggestion(name, known) or "."
            raise ValueError(f"`{name}` is not a case{hint} There are {', '.join(known)}.")
    return [known[name] for name in names] if names else list(CASES)
