"""The settings of the profiler `gpu`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.slots import ProfilerParams

if TYPE_CHECKING:
    from kokoro_plugins.profiler.gpu_profiler import GpuProfiler


class GpuProfilerParams(ProfilerParams):
    """Time and memory of each slot and of generation, by the counters of CUDA, MPS or the process.

    Attributes:
        trace: Record each operation as well, for a Chrome trace; this slows the model down.
        nested: Watch components inside components as well (a positional encoding, say); measuring
            their many short calls shows in the times of what is around them.
    """

    type: Literal["gpu"] = "gpu"
    trace: bool = Field(False, description="record each operation, for a Chrome trace")
    nested: bool = Field(False, description="watch components inside components as well")

    def build(self) -> GpuProfiler:
        """Return the profiler, attached to nothing."""
        from kokoro_plugins.profiler.gpu_profiler import GpuProfiler

        return GpuProfiler(trace=self.trace, nested=self.nested)
