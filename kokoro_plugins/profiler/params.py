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
        layers: Watch the layers of stacks as well, at each step of generation too.
        saved: Count the bytes that autograd keeps for the backward pass.
    """

    type: Literal["gpu"] = "gpu"
    trace: bool = Field(default=False, description="record each operation, for a Chrome trace")
    nested: bool = Field(default=False, description="watch components inside components as well")
    layers: bool = Field(default=False, description="watch the layers of stacks as well")
    saved: bool = Field(default=False, description="count the bytes kept for the backward pass")

    def build(self) -> GpuProfiler:
        """Return the profiler, attached to nothing."""
        from kokoro_plugins.profiler.gpu_profiler import GpuProfiler

        return GpuProfiler(
            trace=self.trace, nested=self.nested, layers=self.layers, saved=self.saved
        )
