"""Loading a checkpoint."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import load_file

from kokoro_core.api import KokoroModel
from kokoro_plugins.bench.peers.ours import our_model
from kokoro_plugins.bench.results import CaseResult, Measurement, Verdict
from kokoro_plugins.bench.sizes import Scale
from kokoro_plugins.bench.timing import Contender, take_turns

IN_MEMORY = "load_file, read into memory"


def measure(scale: Scale, threads: int) -> CaseResult:
    """Time loading from a file that the system has in its cache, and watch the process's peak."""
    result = CaseResult("loading", "loading a checkpoint that is in the system's cache")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model = our_model(scale.model)
        model.save(path)
        weights = sum(each.numel() * each.element_size() for each in model.parameters())
        contenders: dict[str, Callable[[], object]] = {
            "ours": lambda: KokoroModel.load(path),
            "load_file": lambda: load_file(path),
            IN_MEMORY: lambda: {name: each.clone() for name, each in load_file(path).items()},
        }
        del model
        peaks = {name: peak_of(load) for name, load in contenders.items()}
        ready = {name: Contender(load) for name, load in contenders.items()}
        timings = take_turns(ready, rounds=scale.rounds, block_seconds=scale.block_seconds)
    setting = {"threads": threads, "MiB": weights / 2**20}
    for name, timing in timings.items():
        grown = peaks[name]
        facts = {} if grown is None else {"peak_of_weights": grown / weights}
        result.measurements.append(Measurement(name, setting, timing, facts))
    for name in ("load_file", IN_MEMORY):
        ratio = timings["ours"].median / timings[name].median
        result.verdicts.append(Verdict(f"ours / {name}", ratio, "at most", 1.2, setting))
    grown = peaks["ours"]
    if grown is not None:
        what = "growth of the process / weights"
        result.verdicts.append(Verdict(what, grown / weights, "at most", 1.3, setting))
    result.notes.append(
        "`load_file` maps the file and reads a weight when it is first used; ours has compared "
        "every byte with the content hash when it returns."
    )
    return result


def peak_of(load: Callable[[], object]) -> int | None:
    """Return by how many bytes the process has grown at most, or None where it cannot be told.

    Pages of a file that is mapped count as well.
    """
    if sys.platform != "linux":
        return None
    load()  # the first time maps code as well
    gc.collect()
    _give_back()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc_pid_clear_refs(5)
    except OSError:
        return None
    before = _status("VmRSS:")
    kept = load()
    peak = _status("VmHWM:")
    del kept
    return peak - before


def _give_back() -> None:
    """Let the C library give back what is free, or a load would find its memory there already."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)


def _status(name: str) -> int:
    """Return a figure of the process in bytes (proc_pid_status(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    [found] = [line.split() for line in lines if line.startswith(name)]
    return int(found[1]) * 1024
