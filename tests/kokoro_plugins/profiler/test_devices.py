"""What each device says of time and memory."""

from __future__ import annotations

import mmap
import resource
import sys
import time

import pytest
import torch
from torch import nn

from kokoro_core.cost.resident import restart_high_water_mark
from kokoro_plugins.profiler import devices
from kokoro_plugins.profiler.devices import (
    CpuDevice,
    CudaDevice,
    MpsDevice,
    default_device,
    device_of,
    open_device,
)

CPU = torch.device("cpu")
MEBIBYTE = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def touched(mebibytes):
    """Return pages of the process that malloc cannot have kept from before."""
    pages = mmap.mmap(-1, mebibytes * MEBIBYTE)
    pages[:: mmap.PAGESIZE] = b"x" * (len(pages) // mmap.PAGESIZE)
    return pages


@linux
def test_memory_of_the_process_grows_with_a_tensor_and_falls_when_it_is_freed():
    device = CpuDevice(CPU)
    before = device.sample()
    tensor = touched(64)
    during = device.sample()
    del tensor
    after = device.sample()
    assert during.allocated - before.allocated == pytest.approx(64 * MEBIBYTE, rel=0.1)
    assert during.allocated - after.allocated == pytest.approx(64 * MEBIBYTE, rel=0.1)
    assert during.reserved == during.allocated


@linux
def test_the_peak_of_the_process_sees_what_was_freed_and_starts_again_at_each_sample():
    device = CpuDevice(CPU)
    before = device.sample()
    touched(64)
    first, second = device.sample(), device.sample()
    assert first.peak - before.allocated == pytest.approx(64 * MEBIBYTE, rel=0.1)
    assert second.peak - second.allocated < 8 * MEBIBYTE
    assert "exact" in device.peak_is


@linux
def test_where_the_kernel_does_not_restart_the_peak_it_is_said(monkeypatch):
    monkeypatch.setattr(devices, "restart_high_water_mark", lambda: False)
    device = CpuDevice(CPU)
    touched(64)
    assert device.sample().peak == device.sample().peak
    assert device.peak_is.endswith("since the process began")


@linux
def test_a_kernel_that_refuses_is_noticed(monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError

    monkeypatch.setattr("builtins.open", refuse)
    assert not restart_high_water_mark()


@pytest.mark.parametrize(("platform", "unit"), [("darwin", 1), ("freebsd14", 1024)])
def test_elsewhere_it_is_the_high_water_mark_in_the_systems_unit(monkeypatch, platform, unit):
    monkeypatch.setattr(sys, "platform", platform)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    assert set(CpuDevice(CPU).sample()) == {usage.ru_maxrss * unit}


def test_time_on_the_cpu_is_the_wall_clock():
    device = CpuDevice(CPU)
    outer = time.perf_counter()
    begin = device.mark()
    while time.perf_counter() < begin + 0.01:
        pass
    seconds = device.seconds(begin, device.mark())
    device.synchronize()
    assert 0.01 <= seconds <= time.perf_counter() - outer


class FakeEvent:
    """An event whose time is the number of events before it, in milliseconds."""

    made = 0

    def __init__(self, enable_timing):
        assert enable_timing
        FakeEvent.made += 1
        self.at = FakeEvent.made
        self.stream = None

    def record(self, stream=None):
        self.stream = stream

    def elapsed_time(self, end):
        return float(end.at - self.at)


def test_cuda_reads_the_allocator_once_and_restarts_its_peak(monkeypatch):
    calls = []

    def memory_stats(device):
        calls.append("read")
        return {
            "allocated_bytes.all.current": 5,
            "allocated_bytes.all.peak": 9,
            "reserved_bytes.all.current": 20,
        }

    monkeypatch.setattr(torch.cuda, "memory_stats", memory_stats)
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda device: calls.append("restart")
    )
    assert CudaDevice(torch.device("cuda:1")).sample() == (5, 9, 20)
    assert calls == ["read", "restart"]


def test_cuda_times_with_events_on_the_current_stream_of_its_device(monkeypatch):
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    device = CudaDevice(torch.device("cuda:1"))
    begin, _, end = device.mark(), device.mark(), device.mark()
    assert isinstance(begin, FakeEvent)
    assert begin.stream == "stream of cuda:1"
    assert waited == []
    device.synchronize()
    assert waited == [torch.device("cuda:1")]
    assert device.seconds(begin, end) == pytest.approx(0.002)


def test_mps_reads_its_allocator_and_times_with_its_events(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.mps, "Event", FakeEvent)
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 7)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 30)
    device = MpsDevice(torch.device("mps"))
    assert device.sample() == (7, 7, 30)
    begin, end = device.mark(), device.mark()
    device.synchronize()
    assert waited == ["mps"]
    assert device.seconds(begin, end) == pytest.approx(0.001)


def test_each_kind_of_device_has_its_own_and_others_are_refused():
    assert isinstance(open_device(CPU), CpuDevice)
    assert isinstance(open_device(torch.device("cuda:0")), CudaDevice)
    assert isinstance(open_device(torch.device("mps")), MpsDevice)
    with pytest.raises(ValueError, match="`meta` cannot be profiled; cpu, cuda, mps can"):
        open_device(torch.device("meta"))


def test_the_device_of_a_model_is_its_first_parameters():
    assert device_of(nn.Linear(1, 1, device="meta")) == torch.device("meta")
    assert device_of(nn.Identity()) == CPU


@pytest.mark.parametrize("accelerator", [None, torch.device("cuda"), torch.device("mps")])
def test_before_a_model_is_seen_the_device_is_the_machines_accelerator(monkeypatch, accelerator):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerator is not None)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: accelerator)
    assert default_device() == (accelerator or CPU)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_real_gpu_is_timed_and_its_peak_is_seen():
    device = open_device(torch.device("cuda", torch.cuda.current_device()))
    a = torch.ones(4096, 4096, device="cuda")
    device.sample()
    begin = device.mark()
    for _ in range(10):
        a @ a
    end = device.mark()
    device.synchronize()
    sample = device.sample()
    assert device.seconds(begin, end) > 0
    assert sample.peak >= sample.allocated + 64 * MEBIBYTE
    assert sample.reserved >= sample.allocated
