"""The tests that the marker ``conformance`` generates."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kokoro_core.params.component import ComponentParams
from kokoro_core.testing.check import Check
from kokoro_core.testing.engine.component import (
    Target,
    plan_of,
    prepare,
    subjects_of,
    with_golden,
)
from kokoro_core.testing.engine.golden import write_golden
from kokoro_core.testing.engine.levels import LevelName
from kokoro_core.testing.engine.report import ConformanceWarning, Result
from kokoro_core.testing.engine.runner import FIRST, CheckPlan, is_skipped, result_id, run_check
from kokoro_core.testing.engine.targets import targets_named
from kokoro_core.testing.pytest_support.markers import MARKER, Request
from kokoro_core.testing.subjects.model_subject import ModelSubject
from kokoro_core.testing.subjects.subject import Subject
from registry import installed_plugins
from registry.errors import RegistryError


@dataclass(frozen=True)
class BoundCheck:
    """A check of one subject; calling it is the test.

    Attributes:
        subject: The component.
        check: The check.
        plan: How it is run.
        root: The folder that node ids of tests are relative to.
    """

    subject: Subject
    check: Check[Any]
    plan: CheckPlan
    root: Path = Path()

    @property
    def id(self) -> str:
        """The name of the test."""
        return result_id(self.subject, self.check)

    def __call__(self) -> None:
        """Run the check; its result becomes an outcome of pytest."""
        try:
            result = run_check(self.subject, self.check, self.plan)
        except ValueError as error:
            pytest.fail(str(error), pytrace=False)
        if result.status == "failed" and self.check.id == FIRST:
            self.plan.unregistered.add(self.subject.name)
        if result.status == "blocked" and self.subject.name in self.plan.unregistered:
            pytest.skip(f"not run {result.reason}")
        said = self._with_replay(result).explain()
        if result.status == "expected":
            pytest.xfail(result.reason)
        if result.status == "skipped":
            pytest.skip(result.reason)
        if result.status == "warned":
            warnings.warn(f"since version {self.check.since}: {said}", ConformanceWarning, 2)
        if result.bad:
            pytest.fail(said, pytrace=False)

    def _with_replay(self, result: Result) -> Result:
        """Name the test in the replay line of a class that no other process can import."""
        if not result.bad or result.replay or isinstance(self.subject, ModelSubject):
            return result
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        words = ["python", "-m", "pytest", str(self.root.absolute() / test)]
        if result.case:
            words += ["--conformance-case", result.case]
        return replace(result, replay=shlex.join(words) if test else "")


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test function with its checks, without those that do not apply."""
    if "check" not in metafunc.fixturenames:
        pytest.fail(
            f"`{metafunc.function.__name__}` must take the argument `check`.", pytrace=False
        )
    try:
        bound = [
            each
            for mark in metafunc.definition.iter_markers(MARKER)
            for each in bound_checks(_request(mark), metafunc)
        ]
    except (ValueError, RegistryError) as error:
        pytest.fail(f"{metafunc.definition.nodeid}: {error}", pytrace=False)
    metafunc.parametrize("check", bound, ids=[each.id for each in bound])


def _request(mark: pytest.Mark) -> Request:
    if len(mark.args) == 1 and isinstance(mark.args[0], Request):
        return mark.args[0]
    raise ValueError("write `@kokoro_core.testing.conformance(…)` in place of the bare marker.")


def bound_checks(request: Request, metafunc: pytest.Metafunc) -> list[BoundCheck]:
    """Return the checks of a request that apply, and those that are expected to fail.

    Raises:
        ValueError: A target, an id, a level, a version or the golden keys are wrong.
        RegistryError: A name is of no component, or of more than one.
    """
    config, folder = metafunc.config, metafunc.definition.path.parent
    golden = request.golden
    if isinstance(golden, (str, Path)):
        golden = folder / golden
    subjects = subjects_of(_targets(request.targets))
    if config.getoption("conformance_write_golden") and isinstance(golden, Path):
        write_golden(subjects, golden)
    plan = plan_of(
        _level(config, request),
        request.seed,
        config.getoption("conformance_case"),
        request.expected_failures,
        _version(config, request),
        golden,
    )
    run = prepare(with_golden(subjects, golden), plan)
    return [
        BoundCheck(subject, check, plan, config.rootpath)
        for subject, check in run.pairs
        if plan.expects(subject, check) or not is_skipped(subject, check, plan)
    ]


def _targets(named: Iterable[type[ComponentParams] | ComponentParams | str]) -> list[Target]:
    found: list[Target] = []
    for each in named:
        known = targets_named(each, installed_plugins()) if isinstance(each, str) else [each]
        found += known
    return found


def _level(config: pytest.Config, request: Request) -> LevelName:
    asked: LevelName | None = config.getoption("conformance_level") or request.level
    written: LevelName = config.getini("conformance_level")
    return asked or written


def _version(config: pytest.Config, request: Request) -> int | None:
    said = config.getoption("conformance_version") or request.version
    written = config.getini("conformance_version")
    if said is None and written and not written.isdecimal():
        raise ValueError(f"`conformance_version` must be a number, not `{written}`.")
    return said or (int(written) if written else None)
