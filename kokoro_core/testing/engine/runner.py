"""`run_check`: try one check of one component, and find the smallest data that breaks it."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kokoro_core.testing.check import Check
from kokoro_core.testing.data.randomness import seed_torch
from kokoro_core.testing.engine.levels import Level
from kokoro_core.testing.engine.replay import replay_line
from kokoro_core.testing.engine.report import Result, Status
from kokoro_core.testing.subjects.blame import place_of
from kokoro_core.testing.subjects.process_state import settled
from kokoro_core.testing.subjects.registration import find_unregistered
from kokoro_core.testing.subjects.subject import Subject


@dataclass
class _Failure:
    """The last data that broke a check; the smallest, once hypothesis has shrunk it."""

    data: Any = None
    error: BaseException | None = None


@dataclass(frozen=True)
class CheckPlan:
    """How checks are run.

    Attributes:
        level: How much is tried.
        seed: Of what is drawn.
        case: The only data to try, as JSON, or None.
        expected: Why a check is announced to fail, by its id or its `result_id`.
        version: Of the list of checks; newer ones only warn.
        golden_file: The file of the golden keys, for replay lines, or nothing.
        told: Names of subjects whose `registered` was seen to fail; pytest skips the rest of them.
    """

    level: Level
    seed: int
    case: str | None = None
    expected: dict[str, str] = field(default_factory=dict)
    version: int = 1
    golden_file: str = ""
    told: set[str] = field(default_factory=set)

    def expects(self, subject: Subject, check: Check[Any]) -> str | None:
        """Return why a check of a subject is announced to fail, or None."""
        return self.expected.get(result_id(subject, check), self.expected.get(check.id))


def result_id(subject: Subject, check: Check[Any]) -> str:
    """Return the name of a check of one subject: ``encoder/acme:post-row-alone``."""
    return f"{subject.name}-{check.id}"


def run_check(subject: Subject, check: Check[Any], plan: CheckPlan) -> Result:
    """Try a check and say what came of it; nothing that a component does escapes.

    Raises:
        ValueError: The plan has a case that is not of the check's kind.
    """
    only = [] if plan.case is None else [case_of(check, plan.case)]
    started = time.perf_counter()
    failure, reason = _Failure(), None
    with settled():
        blocked = _reason_not_to_run(subject, check, plan)
        if blocked is not None:
            return Result(subject.name, check.id, "blocked", blocked, meaning=check.meaning)
        try:
            reason = _reason_to_skip(subject, check, plan)
            if reason is None:
                _try_all(subject, check, plan, only, failure)
        except Exception as error:
            reason, failure.error = None, failure.error or error
    return _result(subject, check, plan, failure, reason, time.perf_counter() - started)


FIRST = "registered"
"""The check without which others say nothing: layers that torch does not know of are not moved."""


def _reason_not_to_run(subject: Subject, check: Check[Any], plan: CheckPlan) -> str | None:
    """Return why a check would say nothing, or None; that failure may itself be announced."""
    if check.id == FIRST or subject.slot == "model" or FIRST in _announced(subject, plan):
        return None
    try:
        found = next(find_unregistered(subject.component), None)
    except Exception:  # it cannot be built: running the check will tell
        return None
    return None if found is None else f"because `{FIRST}` fails: {found}"


def _announced(subject: Subject, plan: CheckPlan) -> set[str]:
    start = f"{subject.name}-"
    return {each.removeprefix(start) for each in plan.expected}


def is_skipped(subject: Subject, check: Check[Any], plan: CheckPlan) -> bool:
    """Return whether a component does not have a property; one that cannot be built may have."""
    with settled():
        try:
            return _reason_to_skip(subject, check, plan) is not None
        except Exception:  # running the check will tell
            return False


def case_of(check: Check[Any], text: str) -> Any:
    """Return the data that a text means.

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
        raise ValueError(f"`{text}` is no case of `{check.id}`; one is {example}.")
    return data


def _reason_to_skip(subject: Subject, check: Check[Any], plan: CheckPlan) -> str | None:
    return _too_costly(subject, check, plan) or check.skip(subject)


def _too_costly(subject: Subject, check: Check[Any], plan: CheckPlan) -> str | None:
    if not plan.level.variants and not subject.first and plan.case is None:
        return f"at level {plan.level.name} the first configuration alone is tried"
    if check.costly and not subject.first and not plan.level.costly and plan.case is None:
        return f"at level {plan.level.name} it is tried on the first configuration alone"
    return None


def _try_all(
    subject: Subject, check: Check[Any], plan: CheckPlan, only: list[Any], failure: _Failure
) -> None:
    def attempt(data: Any) -> None:
        seed_torch(0)
        try:
            check.holds(subject, data)
        except Exception as error:
            failure.data, failure.error = data, error
            raise

    for corner in only or check.cases.corners:
        attempt(corner)
    if not only and check.cases.drawn is not None and not check.explicit:
        _draw(check, plan, attempt)


def _draw(check: Check[Any], plan: CheckPlan, attempt: Callable[[Any], None]) -> None:
    """Try what hypothesis draws; settings are given here, and no profile is touched.

    Raises:
        ImportError: hypothesis is not installed.
    """
    from hypothesis import HealthCheck, Phase, given, seed, settings

    assert check.cases.drawn is not None
    chosen = settings(
        max_examples=plan.level.examples,
        deadline=None,
        database=None,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    own = zlib.crc32(f"{check.id} {plan.seed}".encode())
    seed(own)(chosen(given(check.cases.drawn())(attempt)))()


def _result(
    subject: Subject,
    check: Check[Any],
    plan: CheckPlan,
    failure: _Failure,
    skipped: str | None,
    seconds: float,
) -> Result:
    status, reason, case, replay = _judged(subject, check, plan, failure, skipped), "", "", ""
    place = ""
    if skipped is not None:
        reason = skipped
    elif failure.error is not None:
        case = "" if failure.data is None else check.cases.to_json(failure.data)
        reason, place = said_by(failure.error), place_of(failure.error, subject)
        replay = replay_line(subject, check, case, plan.golden_file)
    if status in ("expected", "unexpected"):
        reason = f"{plan.expects(subject, check)}" + (f" ({reason})" if reason else "")
    return Result(
        subject.name,
        check.id,
        status,
        reason,
        case,
        replay,
        round(seconds, 3),
        check.meaning,
        place,
    )


def _judged(
    subject: Subject, check: Check[Any], plan: CheckPlan, failure: _Failure, skipped: str | None
) -> Status:
    announced = plan.expects(subject, check) is not None
    if skipped is not None:
        return "unexpected" if announced else "skipped"
    if failure.error is None:
        return "unexpected" if announced else "passed"
    if announced:
        return "expected"
    return "warned" if check.since > plan.version else "failed"


def said_by(error: BaseException) -> str:
    """Return an error in one line: a broken promise as it is, anything else with its kind.

    Where pytest rewrites assertions, what it adds to the promise is left out.
    """
    text = " ".join(str(error).partition("\nassert ")[0].split())
    return (
        text if isinstance(error, AssertionError) else f"it raised {type(error).__name__}: {text}"
    )
