"""`check_component`: the door without pytest."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kokoro_core.params.component import ComponentParams
from kokoro_core.testing.check import Check
from kokoro_core.testing.checks import CHECKS, CONFORMANCE_VERSION, SETTLED_VERSION, checks_of
from kokoro_core.testing.checks import find_checks as find
from kokoro_core.testing.engine.golden import Golden, golden_of, read_golden
from kokoro_core.testing.engine.levels import LevelName, level_named
from kokoro_core.testing.engine.report import ConformanceError, Report, Result
from kokoro_core.testing.engine.runner import CheckPlan, case_of, result_id, run_check
from kokoro_core.testing.subjects.fitting import fitted
from kokoro_core.testing.subjects.model_subject import ModelSubject
from kokoro_core.testing.subjects.subject import Subject
from kokoro_core.testing.subjects.tiny import one_line, said_params

Target = ComponentParams | type[ComponentParams] | Subject | ModelSubject
"""Settings, a params class (then its `tiny` configurations), or a subject as it is."""


def check_component(
    target: Target,
    *,
    level: LevelName = "fast",
    only: str | Iterable[str] | None = None,
    case: str | None = None,
    seed: int | None = None,
    expected_failures: Mapping[str, str] | None = None,
    golden: Golden | str | Path | None = None,
    version: int = SETTLED_VERSION,
    raises: bool = True,
) -> Report:
    """Check what a component promises; needs no pytest.

    Args:
        target: Its settings, or its params class.
        level: ``fast`` tries corners and little more, ``ci`` more, ``nightly`` much.
        only: Ids of the checks to run; None: all of its slot.
        case: The only data to try, as a failure shows it; needs one check in `only`.
        seed: Of what is drawn; None: the level's.
        expected_failures: Why a check fails; it must fail then. The keys are ids of checks, or of
            a check of one configuration (``encoder/acme:post-row-alone``).
        golden: By ``slot/type:variant`` what its state must look like, or a JSON file of that.
        version: Of the list of checks; newer ones only warn.
        raises: Whether a failure raises, or is only in the report.

    Raises:
        ConformanceError: The component breaks a promise; the message has each with the smallest
            data that breaks it and a shell line that tries it again.
        ValueError: An id is of no check of the slot, the level has no such name, the case is not
            of the check's kind, `golden` does not have the component, or the settings cannot be
            made small.
    """
    pairs = pairs_of(with_golden(subjects_of([target]), golden), only)
    check_case(case, pairs)
    check_expected(expected_failures or {}, pairs)
    plan = plan_of(level, seed, case, expected_failures, version, golden)
    results = tuple(results_of(pairs, plan))
    report = Report(results, level, CONFORMANCE_VERSION, plan.seed, notes_of(pairs))
    if raises and not report.ok:
        raise ConformanceError(report)
    return report


def subjects_of(targets: Iterable[Target]) -> list[Subject]:
    """Return what is checked of components: settings as they are, or each small configuration.

    Settings whose name another subject has get a number as their variant.
    """
    subjects: list[Subject] = []
    for target in targets:
        for each in _subjects_of(target):
            subjects.append(_named_apart(each, {other.name for other in subjects}))
    return subjects


def with_golden(
    subjects: Sequence[Subject], golden: Golden | str | Path | None
) -> Sequence[Subject]:
    """Return the subjects with what their state must look like, from a mapping or a file.

    Raises:
        ValueError: It has nothing for a subject, or something for a variant that is gone.
    """
    if golden is None:
        return subjects
    known = golden_of(subjects, read_golden(golden))
    return [replace(each, golden=known.get(each.name)) for each in subjects]


def _subjects_of(target: Target) -> list[Any]:
    if isinstance(target, (Subject, ModelSubject)):
        return [target]
    if not isinstance(target, type):
        return [fitted(target, keep=None)]
    try:
        configurations, said = said_params(target), target.tiny()
    except Exception as error:
        raise ValueError(
            f"`{target.slot}/{target.component_name}` cannot be made from what its `tiny` says: "
            f"{one_line(error)}"
        ) from error
    if not configurations:
        raise ValueError(f"`{target.slot}/{target.component_name}`: `tiny` gives no configuration.")
    first = next(iter(configurations))
    return [
        fitted(params, variant=variant, first=variant == first, keep=said[variant])
        for variant, params in configurations.items()
    ]


def _named_apart(subject: Subject, taken: set[str]) -> Subject:
    named, number = subject, 1
    while named.name in taken and isinstance(subject, Subject):
        number += 1
        named = replace(subject, variant=f"{subject.variant}{number}")
    return named


def pairs_of(
    subjects: Sequence[Subject], only: str | Iterable[str] | None = None
) -> list[tuple[Subject, Check[Any]]]:
    """Return each subject with each check of its slot, or with those of them that are named.

    Raises:
        ValueError: A slot has no checks, or an id is of no check of any of the slots.
    """
    wanted = [only] if isinstance(only, str) else only
    known = {each.id: each for subject in subjects for each in checks_of_slot(subject.slot)}
    ids = known if wanted is None else find(wanted, known.values())
    return [
        (subject, each)
        for subject in subjects
        for each in checks_of_slot(subject.slot)
        if each.id in ids
    ]


def checks_of_slot(slot: str) -> tuple[Check[Any], ...]:
    """Return the checks of a slot.

    Raises:
        ValueError: It has none.
    """
    known = checks_of(slot)
    if not known:
        slots = sorted({slot for each in CHECKS for slot in each.slots})
        raise ValueError(f"`{slot}` has no checks; the slots that have are {', '.join(slots)}.")
    return known


def check_case(case: str | None, pairs: Sequence[tuple[Subject, Check[Any]]]) -> None:
    """Refuse a case without the one check that it belongs to, and one of another kind.

    Raises:
        ValueError: It is one of these.
    """
    if case is None:
        return
    ids = {each.id for _, each in pairs}
    if len(ids) != 1:
        raise ValueError("a case needs one check by its id: each check has cases of its own.")
    case_of(pairs[0][1], case)


def check_expected(
    expected: Mapping[str, str], pairs: Sequence[tuple[Subject, Check[Any]]]
) -> None:
    """Refuse an expected failure that matches nothing, or that has no reason.

    Raises:
        ValueError: It is one of these.
    """
    for key, reason in expected.items():
        if not any(key in (each.id, result_id(subject, each)) for subject, each in pairs):
            find([key], {each.id: each for _, each in pairs}.values())
        if not reason.strip():
            raise ValueError(f"the expected failure of `{key}` needs a reason; write why it fails.")


def plan_of(
    level: LevelName,
    seed: int | None = None,
    case: str | None = None,
    expected: Mapping[str, str] | None = None,
    version: int = SETTLED_VERSION,
    golden: Golden | str | Path | None = None,
) -> CheckPlan:
    """Return how checks are run.

    Raises:
        ValueError: There is no such level or version.
        ModuleNotFoundError: There is data to draw, and hypothesis is not installed.
    """
    if case is None and find_spec("hypothesis") is None:
        install = "python -m pip install 'kokoro-core[conformance]'"
        raise ModuleNotFoundError(
            f"`hypothesis` is not installed; {install} brings it.", name="hypothesis"
        )
    if not 1 <= version <= CONFORMANCE_VERSION:
        raise ValueError(
            f"the list of checks has the versions 1 to {CONFORMANCE_VERSION}, not {version}."
        )
    file = str(golden) if isinstance(golden, (str, Path)) else ""
    chosen = level_named(level)
    return CheckPlan(chosen, _seed(chosen.seed, seed), case, dict(expected or {}), version, file)


def _seed(fixed: int | None, wanted: int | None) -> int:
    if wanted is not None:
        return wanted
    return random.SystemRandom().randrange(2**31) if fixed is None else fixed


def tried(
    pairs: Iterable[tuple[Subject, Check[Any]]], plan: CheckPlan
) -> list[tuple[Subject, Check[Any]]]:
    """Return what a level tries: every configuration of a component, or the first alone."""
    return [pair for pair in pairs if pair[0].first or plan.level.variants]


def results_of(pairs: Iterable[tuple[Subject, Check[Any]]], plan: CheckPlan) -> Iterator[Result]:
    """Yield what comes of each check that the level tries, one after another."""
    return (run_check(subject, each, plan) for subject, each in tried(pairs, plan))


def notes_of(pairs: Iterable[tuple[Subject, Check[Any]]]) -> tuple[str, ...]:
    """Return what is to be said of subjects beside their results, each note once."""
    return tuple(dict.fromkeys(subject.note for subject, _ in pairs if subject.note))
