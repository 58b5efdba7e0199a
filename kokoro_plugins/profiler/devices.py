"""What each kind of device tells of time and memory."""

from __future__ import annotations

import resource
import sys
import time
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple, final

import torch
from torch import nn

from kokoro_core.cost.resident import resident_and_highest, restart_high_water_mark


class Sample(NamedTuple):
    """Memory of the device in bytes.

    Attributes:
        allocated: In tensors now (CPU: resident in the process now).
        peak: The most that was allocated since the sample before this one.
        reserved: Taken from the device now, tensors and cache (CPU: the same as `allocated`).
    """

    allocated: int
    peak: int
    reserved: int


class Device(ABC):
    """Marks moments in a device's work and samples its memory.

    Attributes:
        clock: What the times are, in words.
        peak_is: What the peak is, in words.
    """

    clock: ClassVar[str]
    peak_is: str

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @abstractmethod
    def mark(self) -> Any:
        """Mark the moment when the work asked for so far is done; never waits for it."""

    def seconds(self, begin: Any, end: Any) -> float:
        """Return the time between two marks, events if nothing else is said.

        The device must have been waited for.
        """
        return float(begin.elapsed_time(end)) / 1000

    @abstractmethod
    def synchronize(self) -> None:
        """Wait until the device has done all its work."""

    @abstractmethod
    def sample(self) -> Sample:
        """Return the memory now, and its peak since the last sample."""


@final
class CpuDevice(Device):
    """The process's memory: `VmRSS` and `VmHWM` on Linux, the high-water mark elsewhere."""

    clock: ClassVar[str] = "wall clock"

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._restarts_peak = sys.platform == "linux" and restart_high_water_mark()
        since = "exact" if self._restarts_peak else "since the process began"
        self.peak_is = f"resident memory of the process, {since}"

    def mark(self) -> float:
        """Return the time on the wall clock."""
        return time.perf_counter()

    def seconds(self, begin: float, end: float) -> float:
        """Return the time between two marks."""
        return end - begin

    def synchronize(self) -> None:
        """Return at once: the CPU's work is done when a call returns."""

    def sample(self) -> Sample:
        """Return the resident memory of the process."""
        if sys.platform != "linux":
            highest = _highest_resident()
            return Sample(highest, highest, highest)
        resident, highest = resident_and_highest()
        if self._restarts_peak:
            restart_high_water_mark()
        return Sample(resident, max(resident, highest), resident)


def _highest_resident() -> int:
    """Return the most that was ever resident: getrusage(2), in bytes on macOS and KiB elsewhere."""
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest if sys.platform == "darwin" else highest * 1024


@final
class CudaDevice(Device):
    """CUDA events on the current stream, and the caching allocator's counters.

    Events cost no synchronisation, so that the work is timed as it runs without a profiler. The
    time of a call is that from its begin to its end in the stream; where the device waits for
    Python, as in the steps of a small decoder, the waiting is in it.
    """

    clock: ClassVar[str] = "CUDA events"
    peak_is = "exact, from the allocator"

    def mark(self) -> torch.cuda.Event:
        """Record an event on the current stream."""
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.device))
        return event

    def synchronize(self) -> None:
        """Wait for all streams."""
        torch.cuda.synchronize(self.device)

    def sample(self) -> Sample:
        """Read the allocator's counters in one go and restart the peak."""
        stats = torch.cuda.memory_stats(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        return Sample(
            allocated=stats["allocated_bytes.all.current"],
            peak=stats["allocated_bytes.all.peak"],
            reserved=stats["reserved_bytes.all.current"],
        )


@final
class MpsDevice(Device):
    """MPS events, and the allocator's counters, which have no peak: it is the highest sample."""

    clock: ClassVar[str] = "MPS events"
    peak_is = "the highest at the begin or end of a call"

    def mark(self) -> Any:
        """Record an event on the default stream."""
        event = torch.mps.Event(enable_timing=True)
        event.record()
        return event

    def synchronize(self) -> None:
        """Wait for all work on the device."""
        torch.mps.synchronize()

    def sample(self) -> Sample:
        """Read the allocator's counters."""
        allocated = torch.mps.current_allocated_memory()
        return Sample(allocated, allocated, torch.mps.driver_allocated_memory())


_KINDS: dict[str, type[Device]] = {"cpu": CpuDevice, "cuda": CudaDevice, "mps": MpsDevice}


def open_device(device: torch.device) -> Device:
    """Return what measures this device.

    Raises:
        ValueError: It is of a kind that the profiler does not know.
    """
    if device.type not in _KINDS:
        raise ValueError(f"`{device}` cannot be profiled; {', '.join(_KINDS)} can.")
    return _KINDS[device.type](device)


def device_of(model: nn.Module) -> torch.device:
    """Return where the model's first parameter is; the CPU for a model without one."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def default_device() -> torch.device:
    """Return the accelerator of this machine, or the CPU if it has none."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")
