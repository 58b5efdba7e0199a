"""`ExampleProfiler`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, final

from torch import nn

from kokoro_core.contracts import Component, Profiler


@dataclass(frozen=True)
class ExampleCall:
    """One call of a method of a part.

    Attributes:
        name: Of the part and the method, such as ``encoder.forward``.
        start: In seconds.
        seconds: How long it took.
    """

    name: str
    start: float
    seconds: float


@final
class ExampleProfiler(Profiler):
    """Puts a clock around the methods that a model calls of its parts."""

    def __init__(self) -> None:
        self._calls: list[ExampleCall] = []

    @contextmanager
    def attach(self, model: nn.Module) -> Iterator[ExampleProfiler]:
        """Observe a model within a ``with`` block and leave it unchanged."""
        wrapped: list[tuple[Component, str]] = []
        try:
            for place, part in model.named_modules():
                if isinstance(part, Component):
                    for method in part.entry_points:
                        name = f"{place.rpartition('.')[2]}.{method}"
                        setattr(part, method, self._timed(name, getattr(part, method)))
                        wrapped.append((part, method))
            yield self
        finally:
            for part, method in wrapped:
                delattr(part, method)

    def report(self) -> dict[str, Any]:
        """Return the calls and the seconds of each method."""
        return {
            name: {
                "calls": sum(each.name == name for each in self._calls),
                "seconds": sum(each.seconds for each in self._calls if each.name == name),
            }
            for name in dict.fromkeys(each.name for each in self._calls)
        }

    def table(self) -> str:
        """Return the same, a line for each method."""
        rows = self.report().items()
        return "\n".join(
            f"{name:<32}{row['calls']:>8}{1e3 * row['seconds']:>12.3f} ms" for name, row in rows
        )

    def export_trace(self, path: Path) -> None:
        """Write every call in the Chrome trace format.

        Raises:
            RuntimeError: Nothing was recorded.
        """
        if not self._calls:
            raise RuntimeError("Nothing was recorded; call the model while it is attached.")
        events = [
            {
                "name": each.name,
                "ph": "X",
                "ts": 1e6 * each.start,
                "dur": 1e6 * each.seconds,
                "pid": 0,
                "tid": 0,
            }
            for each in self._calls
        ]
        path.write_text(json.dumps({"traceEvents": events}), encoding="utf-8")

    def _timed(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **keywords: Any) -> Any:
            start = perf_counter()
            try:
                return method(*args, **keywords)
            finally:
                self._calls.append(ExampleCall(name, start, perf_counter() - start))

        return timed
