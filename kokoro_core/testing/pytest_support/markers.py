"""`conformance` and `conformance_test`, for test files. Importing them is cheap."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import pytest

if TYPE_CHECKING:
    from kokoro_core.params.component import ComponentParams
    from kokoro_core.testing.engine.golden import Golden
    from kokoro_core.testing.engine.levels import LevelName

MARKER = "conformance"

Test = TypeVar("Test", bound=Callable[..., Any])


class Options(TypedDict, total=False):
    """How a test wants checks to be run; `conformance` says what each option means."""

    level: LevelName | None
    expected_failures: Mapping[str, str] | None
    golden: Golden | str | Path | None
    version: int | None
    seed: int | None


@dataclass(frozen=True)
class Request:
    """The arguments of `conformance`."""

    targets: tuple[type[ComponentParams] | ComponentParams | str, ...]
    level: LevelName | None = None
    expected_failures: Mapping[str, str] | None = None
    golden: Golden | str | Path | None = None
    version: int | None = None
    seed: int | None = None


def conformance(
    *targets: type[ComponentParams] | ComponentParams | str, **options: Unpack[Options]
) -> Callable[[Test], Test]:
    """Make one test of each check of components; the function gets it as its argument `check`.

    Args:
        targets: Params classes, whose small configurations are checked; settings; or names:
            ``slot/name`` of an installed component, ``plugin/`` for all components of a plugin.
        options: ``level``: ``fast``, ``ci`` or ``nightly``; ``--conformance-level`` takes
            precedence. ``expected_failures``: reasons for failures that must occur, by the id of a
            check or of one test (``encoder/acme:post-row-alone``). ``golden``: by
            ``slot/type:variant`` names, shapes and dtypes of the state, or a JSON file of that
            beside the test file, which ``--conformance-write-golden`` writes. ``version``: of the
            list of checks; failures of newer ones are warnings. ``seed``: of what is drawn; None:
            the level's.

    Raises:
        TypeError: No target is given, or an option is unknown.
    """
    if not targets:
        raise TypeError("`conformance` needs a target: a params class, settings, or a name.")
    request = Request(targets, **options)
    mark: Callable[[Test], Test] = getattr(pytest.mark, MARKER).with_args(request)
    return mark


def conformance_test(
    *targets: type[ComponentParams] | ComponentParams | str, **options: Unpack[Options]
) -> Callable[..., None]:
    """Make one test of each check of components, without writing a function.

    One line is enough: ``test_acme = conformance_test(AcmeParams)``. The arguments are those of
    `conformance`.
    """

    def test(check: Callable[[], None]) -> None:
        check()

    caller = sys._getframe(1)
    test.__module__ = caller.f_globals["__name__"]
    test.__code__ = test.__code__.replace(  # so that pytest shows the file of the test
        co_filename=caller.f_code.co_filename, co_firstlineno=caller.f_lineno
    )
    return conformance(*targets, **options)(test)
