"""What came of checking a component."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["passed", "failed", "skipped", "expected", "unexpected", "warned", "blocked"]

BAD = frozenset({"failed", "unexpected", "blocked"})


@dataclass(frozen=True)
class Result:
    """What came of one check of one component.

    Attributes:
        component: ``slot/type``, and the variant.
        check: The check's id.
        status: ``expected`` is a failure that was announced, ``unexpected`` an announced failure
            that did not come, ``warned`` a failure of a check that is newer than the version asked,
            ``blocked`` a check that was not run, since `registered` fails.
        reason: Why it was skipped or announced, or what is broken.
        place: Line of the author's where it raised, if that is how it broke.
        case: The smallest data that was found to break it, as JSON.
        replay: One shell line that breaks it again.
        seconds: How long it took.
        meaning: What the check says, in a sentence.
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
        """Return what is broken, on what data, and how to try it again."""
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
    """What came of all checks.

    Attributes:
        results: One for each check of each component.
        level: How much was tried.
        version: Of the list of checks.
        seed: Of what was drawn.
        notes: What is to be said of the components, such as what could not be made small.
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
        """Return how many results there are of each status."""
        return dict(Counter(each.status for each in self.results))

    def explain(self) -> str:
        """Return every failure with its replay line; what was not run because of one is a line."""
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
        """Return it as JSON has it."""
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
    """A component breaks a promise that is newer than the version of the list that is asked for."""


class ConformanceError(AssertionError):
    """A component breaks what its slot promises.

    Attributes:
        report: All results.
    """

    def __init__(self, report: Report) -> None:
        super().__init__("\n" + report.explain())
        self.report = report
