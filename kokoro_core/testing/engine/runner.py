"""`run_check`: run one check of one component, and find the smallest data that breaks it."""

from __future__ import annotations

import json
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

from kokoro_core.testing.check import Check
from kokoro_core.testing.engine.levels import Level
from kokoro_core.testing.engine.replay import replay_line
from kokoro_core.testing.engine.report import Result, Status
from kokoro_core.testing.engine.versions import counting_version
from kokoro_core.testing.subjects.blame import place_of
from kokoro_core.testing.subjects.process_state import isolated, seed_torch
from kokoro_core.testing.subjects.registration import find_unregistered
from kokoro_core.testing.subjects.subject import Subject


@dataclass(frozen=True)
class CheckPlan:
    """How checks are run.

    Attributes:
        level: How thoroughly.
        seed: Of what is drawn.
        case: The only data to try, as JSON, or None for all.
        expected: Reasons for expected failures, by id of the check or `result_id`.
        version: Of the list of checks; failures of newer ones are warnings. None: that of the
            version of the contracts for which the subject was written.
        golden_file: The file of the golden keys, for replay lines, or empty.
        unregistered: Subjects whose check `registered` has failed; pytest skips their other checks.
    """

    level: Level
    seed: int
    case: str | None = None
    expected: dict[str, str] = field(default_factory=dict)
    version: int | None = None
    golden_file: str = ""
    unregistered: set[str] = field(default_factory=set)

    def expects(self, subject: Subject, check: Check[Any]) -> str | None:
        """Return the reason for an expected failure, or None."""
        return self.expected.get(result_id(subject, check), self.expected.get(check.id))


def result_id(subject: Subject, check: Check[Any]) -> str:
    """Return the name of a check of one subject: ``encoder/acme:post-row-alone``."""
    return f"{subject.name}-{check.id}"


FIRST = "registered"
"""The check that blocks all others: layers that torch does not know of are not even converted."""


def run_check(subject: Subject, check: Check[Any], plan: CheckPlan) -> Result:
    """Run a check and return its result, whatever the component raises.

    Raises:
        ValueError: The plan has a case that is not of the check's kind.
    """
    only = [] if plan.case is None else [case_of(check, plan.case)]
    trial, started, skipped = _Trial(subject, check, plan), time.perf_counter(), None
    with isolated():
        blocked = trial.reason_not_to_run()
        if blocked is not None:
            return Result(subject.name, check.id, "blocked", blocked, meaning=check.meaning)
        try:
            skipped = trial.reason_to_skip()
            if skipped is None:
                trial.run(only)
        except Exception as error:
            trial.error = trial.error or error
    return trial.result(skipped, time.perf_counter() - started)


def is_skipped(subject: Subject, check: Check[Any], plan: CheckPlan) -> bool:
    """Return whether a check does not apply; to a component that cannot be built, it does."""
    with isolated():
        try:
            return _Trial(subject, check, plan).reason_to_skip() is not None
        except Exception:  # running the check reports it
            return False


@dataclass
class _Trial:
    """One check of one subject.

    Attributes:
        subject: The component.
        check: The check.
        plan: How it is run.
        data: The last data that broke the check: the smallest, once hypothesis has shrunk it.
        error: What was raised on that data.
    """

    subject: Subject
    check: Check[Any]
    plan: CheckPlan
    data: Any = None
    error: BaseException | None = None

    def reason_not_to_run(self) -> str | None:
        """Return why the check is meaningless, or None; an expected failure blocks nothing."""
        expected = self.plan.expected.keys() & {FIRST, f"{self.subject.name}-{FIRST}"}
        if self.check.id == FIRST or self.subject.slot == "model" or expected:
            return None
        try:
            found = next(find_unregistered(self.subject.component), None)
        except Exception:  # it cannot be built: running the check reports it
            return None
        return None if found is None else f"because `{FIRST}` fails: {found}"

    def reason_to_skip(self) -> str | None:
        level, other = self.plan.level, not self.subject.first and self.plan.case is None
        if other and not level.variants:
            return f"at level {level.name} the first configuration alone is tried"
        if other and self.check.costly and not level.costly:
            return f"at level {level.name} it is tried on the first configuration alone"
        if level.examples < self.check.dear and self.plan.case is None:
            return f"at level {level.name} it is not tried, since it takes long"
        return self.check.skip(self.subject)

    def run(self, only: list[Any]) -> None:
        """Try this data alone, or if there is none the corner cases and what hypothesis draws."""
        cases = self.check.cases
        for corner in only or cases.corners:
            self._attempt(corner)
        if not only and cases.drawn is not None and not self.check.explicit and self._examples:
            self._draw(cases.drawn())

    @property
    def _examples(self) -> int:
        """How many examples are drawn."""
        if self.check.dear == 1:
            return self.plan.level.examples
        return self.plan.level.examples // self.check.dear - len(self.check.cases.corners)

    def _attempt(self, data: Any) -> None:
        seed_torch(0)
        try:
            self.check.holds(self.subject, data)
        except Exception as error:
            self.data, self.error = data, error
            raise

    def _draw(self, strategy: Any) -> None:
        """Try examples from hypothesis, with settings of our own whatever the active profile.

        Raises:
            ImportError: hypothesis is not installed.
        """
        from hypothesis import HealthCheck, Phase, given, seed, settings

        chosen = settings(
            max_examples=self._examples,
            deadline=None,
            database=None,
            derandomize=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
        )

        @seed(zlib.crc32(f"{self.check.id} {self.plan.seed}".encode()))
        @chosen
        @given(strategy)
        def attempt(data: Any) -> None:
            self._attempt(data)

        attempt()

    def result(self, skipped: str | None, seconds: float) -> Result:
        """Return the result of what was run, or of skipping it."""
        subject, check, plan = self.subject, self.check, self.plan
        expected = plan.expects(subject, check)
        reason, place, case, replay = skipped or "", "", "", ""
        if self.error is not None:
            reason, place = summary_of(self.error), place_of(self.error, subject)
            case = "" if self.data is None else check.cases.to_json(self.data)
            replay = replay_line(subject, check, case, plan.golden_file)
        if expected is not None:
            reason = f"{expected} ({reason})" if reason else expected
        return Result(
            subject.name,
            check.id,
            self._status(skipped, expected),
            reason,
            case,
            replay,
            round(seconds, 3),
            check.meaning,
            place,
        )

    def _status(self, skipped: str | None, expected: str | None) -> Status:
        failed = self.error is not None
        if expected is not None:
            return "expected" if failed else "unexpected"
        if not failed:
            return "passed" if skipped is None else "skipped"
        counts = self.plan.version or counting_version(self.subject)
        return "warned" if self.check.since > counts else "failed"


def case_of(check: Check[Any], text: str) -> Any:
    """Return the data of a JSON text.

    Raises:
        ValueError: It is no data of the check's kind; the message has an example.
    """
    example = check.cases.to_json(check.cases.corners[0])
    try:
        data = check.cases.from_json(text)
        unknown = json.loads(text).keys() - json.loads(check.cases.to_json(data)).keys()
    except ValueError:
        unknown = {text}
    if unknown:
        raise ValueError(f"`{text}` is not a case of `{check.id}`; one is {example}.")
    return data


def summary_of(error: BaseException) -> str:
    """Return an error on one line: a broken promise as it is, anything else with its type.

    What pytest's assertion rewriting adds to the promise is left out.
    """
    text = " ".join(str(error).partition("\nassert ")[0].split())
    return (
        text if isinstance(error, AssertionError) else f"it raised {type(error).__name__}: {text}"
    )
