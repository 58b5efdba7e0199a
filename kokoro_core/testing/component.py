"""`check_component`: the door without pytest."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from kokoro_core.spec.params import ComponentParams
from kokoro_core.testing.check import Check
from kokoro_core.testing.checks import CHECKS, CONFORMANCE_VERSION, checks_of, find_checks
from kokoro_core.testing.levels import LevelName, level_named
from kokoro_core.testing.report import ConformanceError, Report
from kokoro_core.testing.runner import Plan, run_check
from kokoro_core.testing.subject import Subject
from kokoro_core.testing.tiny import tiny_params


def subjects_of(
    target: ComponentParams | type[ComponentParams] | Subject,
    golden: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Subject]:
    """Return what is checked of a component: the settings given, or each small configuration.

    Args:
        target: Settings, or a params class, whose `tiny` configurations are taken.
        golden: By ``slot/type:variant`` the names, shapes and dtypes that the state must have.
    """
    if isinstance(target, Subject):
        return [target]
    configurations = tiny_params(target) if isinstance(target, type) else {"": target}
    subjects = [Subject(params, variant) for variant, params in configurations.items()]
    return [
        Subject(each.params, each.variant, golden=(golden or {}).get(each.name))
        for each in subjects
    ]


def check_component(
    target: ComponentParams | type[ComponentParams] | Subject,
    *,
    level: LevelName = "fast",
    only: str | Iterable[str] | None = None,
    case: str | None = None,
    seed: int | None = None,
    expected_failures: Mapping[str, str] | None = None,
    golden: Mapping[str, Mapping[str, Any]] | None = None,
    version: int = CONFORMANCE_VERSION,
    raises: bool = True,
) -> Report:
    """Check what a component promises; needs no pytest.

    Args:
        target: Its settings, or its params class.
        level: ``fast`` tries corners and little more, ``ci`` more, ``nightly`` much.
        only: Ids of the checks to run; None: all of its slot.
        case: The only data to try, as a failure shows it; needs one check in `only`.
        seed: Of what is drawn; None: the level's.
        expected_failures: By id of a check why it fails; it must fail then.
        golden: By ``slot/type:variant`` what its state must look like.
        version: Of the list of checks; newer ones only warn.
        raises: Whether a failure raises, or is only in the report.

    Raises:
        ConformanceError: The component breaks a promise; the message has each with the smallest
            data that breaks it and a shell line that tries it again.
        ValueError: An id is of no check of the slot, or the level has no such name.
    """
    subjects = subjects_of(target, golden)
    chosen = chosen_checks(subjects[0].slot, only)
    if case is not None and len(chosen) != 1:
        raise ValueError("`case` needs one check in `only`: each check has cases of its own.")
    expected = dict(expected_failures or {})
    find_checks(expected, chosen)
    plan = Plan(level_named(level), _seed(level, seed), case, expected, version)
    results = tuple(run_check(subject, each, plan) for subject in subjects for each in chosen)
    report = Report(results, level, CONFORMANCE_VERSION, plan.seed)
    if raises and not report.ok:
        raise ConformanceError(report)
    return report


def chosen_checks(slot: str, only: str | Iterable[str] | None) -> tuple[Check[Any], ...]:
    """Return the checks of a slot, or those of them that are named.

    Raises:
        ValueError: An id is of no check of the slot.
    """
    known = checks_of(slot)
    if not known:
        slots = sorted({slot for each in CHECKS for slot in each.slots})
        raise ValueError(f"`{slot}` has no checks; the slots that have are {', '.join(slots)}.")
    if only is None:
        return known
    wanted = [only] if isinstance(only, str) else list(only)
    return tuple(find_checks(wanted, known).values())


def _seed(level: LevelName, seed: int | None) -> int:
    if seed is not None:
        return seed
    fixed = level_named(level).seed
    return random.SystemRandom().randrange(2**31) if fixed is None else fixed
