"""From calls to rows: how often, how long and with how much memory each entry point ran."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

from kokoro_plugins.profiler.devices import Device, Sample

PENDING_CALLS = 4096
"""Calls whose device times are read at once; reading them waits for the device."""


class RowKey(NamedTuple):
    """What a row counts.

    Attributes:
        slot: The path of the component, or ``model`` for the model itself.
        entry_point: The method.
        recomputed: True for calls made in a backward pass by gradient checkpointing.
    """

    slot: str
    entry_point: str
    recomputed: bool = False


@dataclass
class Row:
    """What was measured of one entry point.

    Attributes:
        calls: How often it was called.
        total_s: Time in it on the device's clock.
        inner_s: The part of it in entry points that it called.
        host_s: Time in it on the wall clock, without waiting for the device.
        left_bytes: The most by which one call left memory grown; None before the first has ended.
        peak_bytes: The most that was allocated during a call.
        growth_bytes: The most that was allocated during a call above what was there before it.
        reserved_bytes: The most that was reserved at the end of a call.
        saved_bytes: What autograd has kept for a backward pass in all calls, less what it has in
            entry points that they called; None if it was not counted.
    """

    calls: int = 0
    total_s: float = 0.0
    inner_s: float = 0.0
    host_s: float = 0.0
    left_bytes: int | None = None
    peak_bytes: int = 0
    growth_bytes: int = 0
    reserved_bytes: int = 0
    saved_bytes: int | None = None

    @property
    def self_s(self) -> float:
        """Time in it and in nothing else that is measured."""
        return self.total_s - self.inner_s


@dataclass
class Call:
    """One call that is running or whose device time is not read yet."""

    key: RowKey
    parent: RowKey | None
    begin: Any
    before: Sample
    host_begin: float
    peak: int
    end: Any = None


@dataclass
class _Stack(threading.local):
    """The calls that are running in a thread: an autograd thread has its own."""

    calls: list[Call] = field(default_factory=list)


@final
class Recorder:
    """Collects calls on one device.

    Args:
        device: What measures.

    Attributes:
        rows: What was measured, in the order of each row's first call.
        peak: The most that was allocated since the beginning or the last restart.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self.rows: dict[RowKey, Row] = {}
        self.peak = 0
        self._stack = _Stack()
        self._pending: list[Call] = []
        self.sample()

    @contextmanager
    def call(self, key: RowKey, *, resumed: bool = False) -> Iterator[None]:
        """Measure a block; a resumed one adds to a call that is counted already."""
        running = self._open(key, resumed)
        try:
            yield
        finally:
            self._close(running)

    def sample(self) -> Sample:
        """Sample the memory and credit its peak to what is running."""
        sample = self.device.sample()
        self.peak = max(self.peak, sample.peak)
        if self._stack.calls:
            innermost = self._stack.calls[-1]
            innermost.peak = max(innermost.peak, sample.peak)
        return sample

    def credit_saved(self, size: int) -> None:
        """Credit bytes that autograd keeps to what is running in this thread, if anything is."""
        if self._stack.calls:
            row = self.rows[self._stack.calls[-1].key]
            row.saved_bytes = (row.saved_bytes or 0) + size

    def restart_peak(self) -> None:
        """Take what is allocated now as the peak."""
        self.peak = self.sample().allocated

    def read_times(self) -> None:
        """Wait for the device and add the times of all calls that have ended."""
        self.device.synchronize()
        ended, self._pending = self._pending, []
        for call in ended:
            seconds = self.device.seconds(call.begin, call.end)
            self.rows[call.key].total_s += seconds
            if call.parent is not None:
                self.rows[call.parent].inner_s += seconds

    def _open(self, key: RowKey, resumed: bool) -> Call:
        row = self.rows.setdefault(key, Row())
        row.calls += not resumed
        before = self.sample()
        parent = self._stack.calls[-1].key if self._stack.calls else None
        host_begin, begin = time.perf_counter(), self.device.mark()
        call = Call(key, parent, begin, before, host_begin, before.allocated)
        self._stack.calls.append(call)
        return call

    def _close(self, call: Call) -> None:
        call.end = self.device.mark()
        host_s = time.perf_counter() - call.host_begin
        after = self.sample()
        self._stack.calls.pop()
        if self._stack.calls:
            outer = self._stack.calls[-1]
            outer.peak = max(outer.peak, call.peak)
        self._add(self.rows[call.key], call, after, host_s)
        self._pending.append(call)
        if len(self._pending) >= PENDING_CALLS:
            self.read_times()

    @staticmethod
    def _add(row: Row, call: Call, after: Sample, host_s: float) -> None:
        grown = after.allocated - call.before.allocated
        row.host_s += host_s
        row.left_bytes = grown if row.left_bytes is None else max(row.left_bytes, grown)
        row.peak_bytes = max(row.peak_bytes, call.peak)
        row.growth_bytes = max(row.growth_bytes, call.peak - call.before.allocated)
        row.reserved_bytes = max(row.reserved_bytes, after.reserved)
