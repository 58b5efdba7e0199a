"""The settings of the component: it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kokoro_core.slots import ProfilerParams

if TYPE_CHECKING:
    from kokoro_core.contracts import Profiler


class ExampleParams(ProfilerParams):
    """How often each part of a model is called, and how long it takes in all."""

    type: Literal["example"] = "example"

    def build(self) -> Profiler:
        """Return the profiler, attached to nothing."""
        from kokoro_core.scaffold.examples.profiler.profiler import ExampleProfiler

        return ExampleProfiler()
