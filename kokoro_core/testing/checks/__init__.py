"""The only list of checks, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kokoro_core.testing.check import Check
from kokoro_core.testing.checks import (
    adaptors,
    aligners,
    belongings,
    checkpointing,
    compiling,
    decoding,
    durations,
    export_models,
    exporting,
    gradients,
    half,
    initialisation,
    long,
    manifest,
    models,
    moves,
    padding,
    position_calls,
    positions,
    precision,
    purity,
    reach,
    registration,
    regulators,
    rows,
    stopping,
    storage,
    training,
    validation,
)

CONFORMANCE_VERSION = 2
"""Version of the list; a check that is newer than the version that counts only warns."""

VERSION_OF_API = {1: 1, 2: 2}
"""The version that counts where none is asked for, by the ``KOKORO_API`` of a component's plugin:
a plugin that was written before a check is only warned by it."""

_MODULES = (
    registration,
    manifest,
    storage,
    rows,
    padding,
    reach,
    gradients,
    long,
    purity,
    precision,
    moves,
    checkpointing,
    compiling,
    exporting,
    initialisation,
    validation,
    durations,
    regulators,
    decoding,
    positions,
    position_calls,
    aligners,
    adaptors,
    belongings,
    training,
    half,
    stopping,
    models,
    export_models,
)

CHECKS: tuple[Check[Any], ...] = tuple(
    each for module in _MODULES for each in vars(module).values() if isinstance(each, Check)
)
"""Every check, module by module in the order of its file."""


def checks_of(slot: str) -> tuple[Check[Any], ...]:
    """Return the checks of the components of a slot."""
    return tuple(each for each in CHECKS if slot in each.slots)


def find_checks(ids: Iterable[str], known: Iterable[Check[Any]] = CHECKS) -> dict[str, Check[Any]]:
    """Return checks by id.

    Raises:
        ValueError: There is no check of that id.
    """
    by_id = {each.id: each for each in known}
    for wanted in ids:
        if wanted not in by_id:
            from registry.text import suggestion

            hint = suggestion(wanted, by_id) or ";"
            raise ValueError(f"`{wanted}` is not a check{hint} the checks are {', '.join(by_id)}.")
    return {wanted: by_id[wanted] for wanted in ids}
