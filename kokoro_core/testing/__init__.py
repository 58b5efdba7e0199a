"""The conformance kit: what every component of a slot must keep, for anybody's components.

One list of checks has three doors: `conformance` for pytest, `check_component` without it, and the
command ``kokoro-core conformance``. The strategies draw what others' own tests can be tried on.
Importing this package imports neither torch nor hypothesis; what is used of it does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kokoro_core.testing.batches import RaggedBatch
    from kokoro_core.testing.component import check_component
    from kokoro_core.testing.machine import decoding_machine
    from kokoro_core.testing.pytest_door import conformance, conformance_test
    from kokoro_core.testing.report import ConformanceError, ConformanceWarning, Report, Result
    from kokoro_core.testing.spec_strategies import specs
    from kokoro_core.testing.strategies import chunkings, durations, padding, ragged_batches
    from kokoro_core.testing.subject import Subject

_HOMES = {
    "ConformanceError": "report",
    "ConformanceWarning": "report",
    "RaggedBatch": "batches",
    "Report": "report",
    "Result": "report",
    "Subject": "subject",
    "check_component": "component",
    "chunkings": "strategies",
    "conformance": "pytest_door",
    "conformance_test": "pytest_door",
    "decoding_machine": "machine",
    "durations": "strategies",
    "padding": "strategies",
    "ragged_batches": "strategies",
    "specs": "spec_strategies",
}

__all__ = [
    "ConformanceError",
    "ConformanceWarning",
    "RaggedBatch",
    "Report",
    "Result",
    "Subject",
    "check_component",
    "chunkings",
    "conformance",
    "conformance_test",
    "decoding_machine",
    "durations",
    "padding",
    "ragged_batches",
    "specs",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `kokoro_core.testing` has no attribute `{name}`")
    return getattr(import_module(f"kokoro_core.testing.{_HOMES[name]}"), name)
