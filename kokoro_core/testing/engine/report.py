"""Results of checks, and the report of a run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["passed", "failed", "skipped", "expected", "unexpected", "warned", "blocked"]

BAD = frozenset({"failed", "unexpected", "blocked"})


@dataclass(frozen=True)
class Result:
    """The result of one check of one component.

    Attributes:
        component: ``slot/type``, and the variant.
        check: The check's id.
        status: ``expected`` is an expected failure, ``unexpected`` one that did not occur,
            ``warned`` a failure of a check that is newer than the requested version, ``blocked`` a
            check that was not run because `registered` fails.
        reason: Why it was skipped or expected to fail, or what is broken.
        place: The author's line that raised, if something did.
        case: The smallest data found to break it, as JSON.
        replay: A shell line that reproduces the failure.
        seconds: Time that it took.
        meaning: The property, in one sentence.
    """

    component: str
    check: str
    status: Status
    reason: str = ""
    case: str = ""
    replay: str = ""
    seconds: float = 0.0
    meaning: str = ""
    place: str = ""

    @property
    def id(self) -> str:
        """The name of a check of one configuration: ``encoder/acme:post-row-alone``."""
        return f"{self.component}-{self.check}"

    @property
    def bad(self) -> bool:
        """Whether it makes the component fail."""
        return self.status in BAD

    def explain(self) -> str:
        """Return what is broken, the data that breaks it, and how to reproduce it."""
        if self.status == "unexpected":
            return (
                f"{self.component} {self.check}: passes, though it was announced to fail "
                f"({self.reason}); take it off the list."
            )
        lines = [f"{self.component} {self.check}: {self.meaning}"]
        if self.status == "blocked":
            return "\n".join([*lines, f"  not run: {self.reason}"])
        lines.append(f"  broken: {self.reason}")
        if self.place:
            lines.append(f"  at: {self.place}")
        if self.case:
            lines.append(f"  smallest case: {self.case}")
        if self.replay:
            lines.append(f"  replay: {self.replay}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """The results of a run.

    Attributes:
        results: One for each check of each component.
        level: How thoroughly the checks were run.
        version: Of the list of checks.
        seed: Of what was drawn.
        notes: Remarks about components, such as that one could not be made small.
    """

    results: tuple[Result, ...]
    level: str
    version: int
    seed: int
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not any(each.bad for each in self.results)

    def counts(self) -> dict[str, int]:
        """Return the number of results of each status."""
        return dict(Counter(each.status for each in self.results))

    def explain(self) -> str:
        """Return every failure with its replay line, and a line for the checks that it blocks."""
        told = [each.explain() for each in self.results if each.bad and each.status != "blocked"]
        return "\n\n".join([*told, *self.blocked()])

    def blocked(self) -> list[str]:
        """Return a line for each reason for which checks were not run."""
        by_reason: dict[str, list[str]] = {}
        for each in self.results:
            if each.status == "blocked":
                by_reason.setdefault(each.reason, []).append(each.id)
        return [f"not run, {reason}: {', '.join(ids)}" for reason, ids in by_reason.items()]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "conformance_version": self.version,
            "level": self.level,
            "seed": self.seed,
            "ok": self.ok,
            "notes": list(self.notes),
            "results": [asdict(each) for each in self.results],
        }

    def to_json(self) -> str:
        """Write it as JSON."""
        return json.dumps(self.as_dict(), indent=2)


class ConformanceWarning(UserWarning):
    """A component fails a check that is newer than the requested version of the list."""


class ConformanceError(AssertionError):
    """A component breaks what its slot promises.

    Attributes:
        report: All results.
    """

    def __init__(self, report: Report) -> None:
        super().__init__("\n" + report.explain())
        self.report = report
