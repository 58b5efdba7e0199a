"""The door for pytest: what a test file writes. It imports nothing that is slow."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from kokoro_core.params.component import ComponentParams
    from kokoro_core.testing.engine.golden import Golden
    from kokoro_core.testing.engine.levels import LevelName

MARKER = "conformance"

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Request:
    """What `conformance` was given.

    Attributes:
        targets: Params classes, settings, or names of installed components.
        level: How much is tried, if the command line does not say it.
        expected_failures: Why a check fails.
        golden: What the state must look like, or a file of that beside the test file.
        version: Of the list of checks, if the command line does not say it.
        seed: Of what is drawn.
    """

    targets: tuple[type[ComponentParams] | ComponentParams | str, ...]
    level: LevelName | None = None
    expected_failures: Mapping[str, str] | None = None
    golden: Golden | str | Path | None = None
    version: int | None = None
    seed: int | None = None


def conformance(
    *targets: type[ComponentParams] | ComponentParams | str,
    level: LevelName | None = None,
    expected_failures: Mapping[str, str] | None = None,
    golden: Golden | str | Path | None = None,
    version: int | None = None,
    seed: int | None = None,
) -> Callable[[Test], Test]:
    """Make one test of each check of components, handed to a function as its argument `check`.

    Args:
        targets: Params classes, whose small configurations are checked; settings; or names:
            ``slot/name`` of an installed component, ``plugin/`` for all of a plugin's.
        level: ``fast``, ``ci`` or ``nightly``; ``--conformance-level`` wins.
        expected_failures: By id of a check, or of one test (``encoder/acme:post-row-alone``), why
            it fails. It must fail then.
        golden: By ``slot/type:variant`` names, shapes and dtypes of the state; or a JSON file of
            that beside the test file, which ``--conformance-write-golden`` writes.
        version: Of the list of checks; newer ones only warn.
        seed: Of what is drawn; None: the level's.

    Raises:
        TypeError: No target is given.
    """
    if not targets:
        raise TypeError("`conformance` needs a target: a params class, settings, or a name.")
    request = Request(targets, level, expected_failures, golden, version, seed)
    mark: Callable[[Test], Test] = getattr(pytest.mark, MARKER).with_args(request)
    return mark


def conformance_test(
    *targets: type[ComponentParams] | ComponentParams | str,
    level: LevelName | None = None,
    expected_failures: Mapping[str, str] | None = None,
    golden: Golden | str | Path | None = None,
    version: int | None = None,
    seed: int | None = None,
) -> Callable[..., None]:
    """Make one test of each check of components, without a function of one's own.

    A line is enough: ``test_acme = conformance_test(AcmeParams)``. The arguments are those of
    `conformance`.
    """

    def test(check: Callable[[], None]) -> None:
        check()

    caller = sys._getframe(1)
    test.__module__ = caller.f_globals["__name__"]
    test.__code__ = test.__code__.replace(  # so that pytest shows the file of the test
        co_filename=caller.f_code.co_filename, co_firstlineno=caller.f_lineno
    )
    return conformance(
        *targets,
        level=level,
        expected_failures=expected_failures,
        golden=golden,
        version=version,
        seed=seed,
    )(test)
