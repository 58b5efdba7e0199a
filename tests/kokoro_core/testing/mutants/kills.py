"""Which checks kill a mutant."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from kokoro_core.testing import Subject
from kokoro_core.testing.check import Check
from kokoro_core.testing.checks import CONFORMANCE_VERSION, checks_of
from kokoro_core.testing.checks.storage import layout
from kokoro_core.testing.engine.levels import LevelName, level_named
from kokoro_core.testing.engine.report import Result
from kokoro_core.testing.engine.runner import CheckPlan, run_check
from tests.kokoro_core.testing.mutants.mutant import Mutant


def subject_of(mutant: Mutant) -> Subject:
    """Return the mutant under test; its golden keys are those of the sound component."""
    return Subject(mutant.params, golden=layout(Subject(mutant.sound).built()))


def named_kill(mutant: Mutant) -> Result:
    """Run the one check that must kill a mutant, as an author runs it."""
    (check,) = (each for each in checks_of(mutant.slot) if each.id == mutant.killed_by)
    return _run(subject_of(mutant), check, "fast" if check.dear == 1 else "ci")


def kills_of(mutant: Mutant) -> list[str]:
    """Return the ids of all checks that kill a mutant.

    Checks are tried on their corners, the named one as an author runs it. Checks that cost seconds
    are tried on the mutants that name them alone.
    """
    subject = subject_of(mutant)
    killed = [each.id for each in _tried_on(mutant) if _kills(_run(subject, _cornered(each)))]
    return sorted({*killed, *([mutant.killed_by] if _kills(named_kill(mutant)) else [])})


def _tried_on(mutant: Mutant) -> Iterable[Check[Any]]:
    for each in checks_of(mutant.slot):
        if not each.costly and each.id != mutant.killed_by:
            yield each


def _kills(result: Result) -> bool:
    return result.status == "failed"


def _cornered(check: Check[Any]) -> Check[Any]:
    return replace(check, explicit=True)


def _run(subject: Subject, check: Check[Any], level: LevelName = "fast") -> Result:
    """Run a check; what a mutant warns of is no kill."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = CheckPlan(level_named(level), seed=0, version=CONFORMANCE_VERSION)
        return run_check(subject, check, plan)
