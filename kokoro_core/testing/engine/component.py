"""Prepare checks and run them; `check_component` is the way in without pytest."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kokoro_core.params.component import ComponentParams
from kokoro_core.testing.check import Check
from kokoro_core.testing.checks import (
    CHECKS,
    CONFORMANCE_VERSION,
    checks_of,
    find_checks,
)
from kokoro_core.testing.engine.golden import Golden, golden_of, read_golden
from kokoro_core.testing.engine.levels import LevelName, level_named
from kokoro_core.testing.engine.report import ConformanceError, Report, Result
from kokoro_core.testing.engine.runner import CheckPlan, case_of, result_id, run_check
from kokoro_core.testing.subjects.fitting import fitted
from kokoro_core.testing.subjects.model_subject import ModelSubject
from kokoro_core.testing.subjects.subject import Subject
from kokoro_core.testing.subjects.tiny import declared_params, declared_sizes, one_line

Target = ComponentParams | type[ComponentParams] | Subject | ModelSubject
"""Settings, a params class (then its `tiny` configurations), or a subject as it is."""


@dataclass(frozen=True)
class Run:
    """Checks that are ready to run.

    Attributes:
        pairs: Each subject with each check that the level tries on it.
        plan: How they are run.
        notes: What could not be made small, once a subject.
    """

    pairs: list[tuple[Subject, Check[Any]]]
    plan: CheckPlan
    notes: tuple[str, ...]

    def results(self) -> Iterator[Result]:
        """Run one check after another.

        Raises:
            ValueError: The plan has a case, and there are several checks, or it is of another kind.
        """
        if self.plan.case is not None:
            if len({check.id for _, check in self.pairs}) != 1:
                raise ValueError(
                    "a case needs one check by its id: each check has cases of its own."
                )
            case_of(self.pairs[0][1], self.plan.case)
        return (run_check(subject, check, self.plan) for subject, check in self.pairs)

    def report(self, results: Iterable[Result]) -> Report:
        """Return the report of these results."""
        plan = self.plan
        return Report(tuple(results), plan.level.name, CONFORMANCE_VERSION, plan.seed, self.notes)


def check_component(
    target: Target,
    *,
    level: LevelName = "fast",
    only: str | Iterable[str] | None = None,
    case: str | None = None,
    seed: int | None = None,
    expected_failures: Mapping[str, str] | None = None,
    golden: Golden | str | Path | None = None,
    version: int | None = None,
    raises: bool = True,
) -> Report:
    """Check whether a component keeps what its slot promises; needs no pytest.

    Args:
        target: Its settings, or its params class.
        level: ``fast`` tries the corner cases and little more, ``ci`` more, ``nightly`` many.
        only: Ids of the checks to run; None: all checks of its slot.
        case: The only data to try, as printed with a failure; needs exactly one check in `only`.
        seed: Of what is drawn; None: the level's.
        expected_failures: Reasons for failures that must occur, by the id of a check or of a check
            of one configuration (``encoder/acme:post-row-alone``).
        golden: By ``slot/type:variant`` what its state must look like, or a JSON file of that.
        version: Of the list of checks; failures of newer ones are only warnings. None: that of the
            ``KOKORO_API`` of the component's plugin.
        raises: Whether a failure raises, or is only in the report.

    Raises:
        ConformanceError: The component breaks a promise; the message has each with the smallest
            data that breaks it and a shell line that reproduces it.
        ValueError: An id is of no check of the slot, the level has no such name, the case is not
            of the check's kind, `golden` does not have the component, or the settings cannot be
            made small.
    """
    plan = plan_of(level, seed, case, expected_failures, version, golden)
    run = prepare(with_golden(subjects_of([target]), golden), plan, only)
    report = run.report(run.results())
    if raises and not report.ok:
        raise ConformanceError(report)
    return report


def prepare(
    subjects: Sequence[Subject], plan: CheckPlan, only: str | Iterable[str] | None = None
) -> Run:
    """Select the checks of subjects: those that `only` names, or all of each slot.

    Raises:
        ValueError: A slot has no checks, an id is of no check of any of the slots, or an expected
            failure matches nothing or has no reason.
    """
    pairs = [(subject, each) for subject in subjects for each in _checks_of_slot(subject.slot)]
    if only is not None:
        ids = find_checks([only] if isinstance(only, str) else only, [each for _, each in pairs])
        pairs = [(subject, each) for subject, each in pairs if each.id in ids]
    for key, reason in plan.expected.items():
        if not any(key in (each.id, result_id(subject, each)) for subject, each in pairs):
            find_checks([key], [each for _, each in pairs])
        if not reason.strip():
            raise ValueError(f"the expected failure of `{key}` needs a reason; write why it fails.")
    notes = tuple(dict.fromkeys(subject.note for subject, _ in pairs if subject.note))
    return Run([pair for pair in pairs if pair[0].first or plan.level.variants], plan, notes)


def subjects_of(targets: Iterable[Target]) -> list[Subject]:
    """Return the subjects of components: settings as they are, or each small configuration.

    Settings that share their name with another subject get a number as their variant.
    """
    subjects: list[Subject] = []
    for target in targets:
        for each in _subjects_of(target):
            subjects.append(_named_apart(each, {other.name for other in subjects}))
    return subjects


def with_golden(
    subjects: Sequence[Subject], golden: Golden | str | Path | None
) -> Sequence[Subject]:
    """Return the subjects with the layout that their state must have, from a mapping or a file.

    Raises:
        ValueError: It lacks a subject, or has a variant that no longer exists.
    """
    if golden is None:
        return subjects
    known = golden_of(subjects, read_golden(golden))
    return [replace(each, golden=known.get(each.name)) for each in subjects]


def _subjects_of(target: Target) -> list[Any]:
    if isinstance(target, (Subject, ModelSubject)):
        return [target]
    if not isinstance(target, type):
        return [fitted(target, keep=None, fixed=_sizes_of(target))]
    name = f"{target.slot}/{target.component_name}"
    try:
        configurations, declared = declared_params(target), target.tiny()
        sizes = declared_sizes(target)
    except Exception as error:
        raise ValueError(
            f"`{name}` cannot be made from what its `tiny` says: {one_line(error)}"
        ) from error
    if not configurations:
        raise ValueError(f"`{name}`: `tiny` gives no configuration.")
    return [
        fitted(
            params, variant=variant, first=number == 0, keep=declared[variant], fixed=sizes[variant]
        )
        for number, (variant, params) in enumerate(configurations.items())
    ]


def _sizes_of(params: ComponentParams) -> Mapping[str, int]:
    """Return the sizes that the class of these settings declares for its first configuration."""
    try:
        return next(iter(declared_sizes(type(params)).values()), {})
    except Exception:  # settings that are given are checked whatever `tiny` does
        return {}


def _named_apart(subject: Subject, taken: set[str]) -> Subject:
    named, number = subject, 1
    while named.name in taken and isinstance(subject, Subject):
        number += 1
        named = replace(subject, variant=f"{subject.variant}{number}")
    return named


def _checks_of_slot(slot: str) -> tuple[Check[Any], ...]:
    known = checks_of(slot)
    if not known:
        slots = sorted({slot for each in CHECKS for slot in each.slots})
        raise ValueError(f"`{slot}` has no checks; the slots that have are {', '.join(slots)}.")
    return known


def plan_of(
    level: LevelName,
    seed: int | None = None,
    case: str | None = None,
    expected: Mapping[str, str] | None = None,
    version: int | None = None,
    golden: Golden | str | Path | None = None,
) -> CheckPlan:
    """Return how checks are run.

    Raises:
        ValueError: There is no such level or version.
        ModuleNotFoundError: Data must be drawn, and hypothesis is not installed.
    """
    if case is None and find_spec("hypothesis") is None:
        install = "python -m pip install 'kokoro-core[conformance]'"
        raise ModuleNotFoundError(
            f"`hypothesis` is not installed; {install} brings it.", name="hypothesis"
        )
    if version is not None and not 1 <= version <= CONFORMANCE_VERSION:
        raise ValueError(
            f"the list of checks has the versions 1 to {CONFORMANCE_VERSION}, not {version}."
        )
    file = str(golden) if isinstance(golden, (str, Path)) else ""
    chosen = level_named(level)
    seed = chosen.seed if seed is None else seed
    if seed is None:
        seed = random.SystemRandom().randrange(2**31)
    return CheckPlan(chosen, seed, case, dict(expected or {}), version, file)
