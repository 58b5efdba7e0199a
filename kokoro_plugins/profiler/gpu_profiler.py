"""The profiler: attaches to a model, reports, and knows nothing of what is inside it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, final

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from kokoro_core.contracts import Profiler
from kokoro_core.cost.saved_tensors import SavedTensors
from kokoro_plugins.profiler.devices import default_device, device_of, open_device
from kokoro_plugins.profiler.recorder import Recorder, Row, RowKey
from kokoro_plugins.profiler.table import memory_line, render
from kokoro_plugins.profiler.watching import Watch, entry_points, layers

_logger = logging.getLogger(__name__)


@final
class GpuProfiler(Profiler):
    """Measures time and memory of each slot's entry points and of the model's own methods.

    It wraps methods, since a module's hooks never fire for `step` and fire again when a
    checkpointed layer is recomputed; what runs in a backward pass is in rows of its own.
    Attaching restarts the device's peak counter at each call's begin and end.

    Args:
        trace: Record each operation with `torch.profiler` as well.
        nested: Watch components inside components as well.
        layers: Watch the layers of stacks as well, `step` included.
        saved: Count the bytes that autograd keeps for the backward pass.
    """

    def __init__(
        self,
        *,
        trace: bool = False,
        nested: bool = False,
        layers: bool = False,
        saved: bool = False,
    ) -> None:
        self._wants_trace = trace
        self._nested = nested
        self._layers = layers
        self._saved = saved
        self._trace: profile | None = None
        self._trace_path: Path | None = None
        self._recorder: Recorder | None = None
        self._watch: Watch | None = None
        self._stages: list[dict[str, Any]] = []

    @contextmanager
    def attach(self, model: nn.Module) -> Iterator[GpuProfiler]:
        """Watch a model within a ``with`` block and leave it as it was.

        What several blocks measure adds up. Another profiler may be attached inside the block.

        Raises:
            RuntimeError: It is attached already, or was attached to a model on another device.
            TypeError: A component lists an entry point that it does not have.
        """
        if self._watch is not None:
            raise RuntimeError(
                "`GpuProfiler` is attached already; end its `with` block first, "
                "or take a second profiler."
            )
        targets = list(entry_points(model, nested=self._nested))
        if self._layers:
            targets += layers(model)
        recorder = self._recorder_on(device_of(model))
        self._watch = Watch(recorder=recorder, trace=self._wants_trace)
        try:
            with self._tracing(), self._watch.over(targets), self._counting(model, recorder):
                yield self
        finally:
            self._watch = None

    def _counting(self, model: nn.Module, recorder: Recorder) -> AbstractContextManager[None]:
        if not self._saved:
            return nullcontext()
        there = (*model.parameters(), *model.buffers())
        return SavedTensors(there, recorder.credit_saved).counted()

    def measure(self, slot: str, entry_point: str) -> AbstractContextManager[None]:
        """Count a block that is not an entry point, such as a backward pass, as a row of its own.

        Raises:
            RuntimeError: The profiler is not attached.
        """
        if self._watch is None:
            raise RuntimeError("`GpuProfiler.measure` works only while the profiler is attached.")
        return self._watch.measure(slot, entry_point)

    def log_memory_stats(self, stage: str) -> dict[str, Any]:
        """Log memory now, its peak since the last reset, and keep both under a stage's name."""
        stats = {"stage": stage, **self._memory()}
        self._stages.append(stats)
        _logger.info("%s: %s", stage, memory_line(stats))
        return stats

    def get_memory_summary(self) -> dict[str, Any]:
        """Return memory in bytes now, its peak since the last reset, and the logged stages."""
        return {**self._memory(), "stages": list(self._stages)}

    def reset_peak_memory_stats(self) -> None:
        """Take what is allocated now as the peak; the rows of the table stay as they are."""
        self._opened().restart_peak()

    def report(self) -> dict[str, Any]:
        """Return what was measured, in seconds and bytes, as values that JSON has."""
        recorder = self._opened()
        recorder.read_times()
        device = recorder.device
        return {
            "device": str(device.device),
            "clock": device.clock,
            "peak_is": device.peak_is,
            "memory": self.get_memory_summary(),
            "rows": [_row_report(key, row) for key, row in recorder.rows.items()],
        }

    def table(self) -> str:
        """Return what was measured, as a table for a terminal."""
        return render(self.report())

    def export_trace(self, path: Path) -> None:
        """Write the operations of the last block in the Chrome trace format.

        Raises:
            RuntimeError: Nothing was recorded, the block has not ended, or the trace was written
                before, which torch does once.
            OSError: The file cannot be written.
        """
        if self._trace is None:
            raise RuntimeError(
                "`GpuProfiler` has recorded no trace; build it with `trace=True` "
                "and end an `attach` block first."
            )
        if self._trace_path is not None:
            raise RuntimeError(
                f"The trace was written to `{self._trace_path}`; copy it from there."
            )
        with Path(path).open("wb"):  # torch is silent about a path that it cannot write to
            pass
        self._trace.export_chrome_trace(str(path))
        self._trace_path = Path(path)

    @contextmanager
    def _tracing(self) -> Iterator[None]:
        if not self._wants_trace:
            yield
            return
        self._trace, self._trace_path = None, None
        activities = [ProfilerActivity.CPU]
        if self._opened().device.device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        with profile(activities=activities, profile_memory=True) as trace:
            yield
        self._trace = trace

    def _memory(self) -> dict[str, Any]:
        recorder = self._opened()
        sample = recorder.sample()
        return {
            "allocated_bytes": sample.allocated,
            "peak_bytes": recorder.peak,
            "reserved_bytes": sample.reserved,
        }

    def _opened(self) -> Recorder:
        """Return the recorder; before a model was attached, one of this machine's accelerator."""
        if self._recorder is None:
            self._recorder = Recorder(open_device(default_device()))
        return self._recorder

    def _recorder_on(self, device: torch.device) -> Recorder:
        """Return the recorder for a model on a device."""
        recorder = self._recorder
        if recorder is None or (not recorder.rows and recorder.device.device != device):
            recorder = self._recorder = Recorder(open_device(device))
        if recorder.device.device != device:
            raise RuntimeError(
                f"`GpuProfiler` has measured a model on `{recorder.device.device}` and cannot add "
                f"one on `{device}`; take a new profiler."
            )
        return recorder


def _row_report(key: RowKey, row: Row) -> dict[str, Any]:
    measured = {**asdict(row), "mean_s": row.total_s / row.calls, "self_s": row.self_s}
    del measured["inner_s"]  # what is left of the total is reported
    return {**key._asdict(), **measured}
