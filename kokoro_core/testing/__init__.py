"""The conformance kit: checks of the promises that a slot makes for all of its components.

The same checks run under pytest (`conformance`), from Python (`check_component`) and on the command
line (``kokoro-core conformance``). The strategies draw inputs for a component author's own tests.
Importing this package imports neither torch nor hypothesis; using its names does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kokoro_core.testing.data.batches import RaggedBatch
    from kokoro_core.testing.data.spec_strategies import specs
    from kokoro_core.testing.data.strategies import chunkings, durations, padding, ragged_batches
    from kokoro_core.testing.engine.component import check_component
    from kokoro_core.testing.engine.report import (
        ConformanceError,
        ConformanceWarning,
        Report,
        Result,
    )
    from kokoro_core.testing.pytest_support.markers import conformance, conformance_test
    from kokoro_core.testing.subjects.subject import Subject
    from kokoro_core.testing.walks.machine import decoding_machine

_HOMES = {
    "ConformanceError": "engine.report",
    "ConformanceWarning": "engine.report",
    "RaggedBatch": "data.batches",
    "Report": "engine.report",
    "Result": "engine.report",
    "Subject": "subjects.subject",
    "check_component": "engine.component",
    "chunkings": "data.strategies",
    "conformance": "pytest_support.markers",
    "conformance_test": "pytest_support.markers",
    "decoding_machine": "walks.machine",
    "durations": "data.strategies",
    "padding": "data.strategies",
    "ragged_batches": "data.strategies",
    "specs": "data.spec_strategies",
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


if not TYPE_CHECKING:  # a type checker would take it to have every name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module `kokoro_core.testing` has no attribute `{name}`")
        return getattr(import_module(f"kokoro_core.testing.{_HOMES[name]}"), name)
