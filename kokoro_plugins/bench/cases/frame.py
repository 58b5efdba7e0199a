"""One frame after a number of frames: ours, its peers and the floor."""

from __future__ import annotations

from functools import partial

import torch

from kokoro_core.kernels import cpu
from kokoro_plugins.bench.growth import fit_growth
from kokoro_plugins.bench.peers.contract import FrameMaker
from kokoro_plugins.bench.peers.floor import Floor
from kokoro_plugins.bench.peers.minimal import MinimalDecoder, MinimalFrames
from kokoro_plugins.bench.peers.ours import OurFrames, our_model
from kokoro_plugins.bench.peers.speecht5 import SpeechT5Frames, speecht5
from kokoro_plugins.bench.peers.split_floor import SplitFloor
from kokoro_plugins.bench.peers.torch_transformer import TorchTransformer, TorchTransformerFrames
from kokoro_plugins.bench.results import CaseResult, Setting
from kokoro_plugins.bench.sizes import ModelSize, Scale
from kokoro_plugins.bench.timing import Timing, clock_of, take_turns

NO_CACHE = TorchTransformerFrames.name
LONGEST_WITHOUT_CACHE = 400
"""Frames; a model without a cache takes seconds a frame beyond."""


def measure(scale: Scale, threads: int) -> CaseResult:
    """Time the next frame after each of the lengths, one row."""
    result = CaseResult("frame", "one frame of one row, by the frames before it")
    makers = contenders(scale.model, scale.device)
    timings = {length: turns(makers, scale, length) for length in scale.lengths}
    for length, found in timings.items():
        setting = {"threads": threads, "rows": 1, "frames": length}
        result.add(found, setting, partial(_speed_of_reading, scale.model, length))
    for name in timings[min(timings)]:
        costs = {length: each[name].median for length, each in timings.items() if name in each}
        if len(costs) > 1:
            result.growth.append((name, {"threads": threads, "rows": 1}, fit_growth(costs)))
    _judge_frame(
        result, timings[scale.frame], {"threads": threads, "rows": 1, "frames": scale.frame}
    )
    _judge_growth(result, timings, scale.model, threads)
    return result


def contenders(size: ModelSize, device: str = "cpu") -> list[FrameMaker]:
    """Return everything that can make a frame."""
    ours, theirs = our_model(size).to(device), speecht5(size).to(device)
    return [
        OurFrames(ours),
        OurFrames(ours, torch.bfloat16),
        OurFrames(ours, torch.float16),
        OurFrames(ours, torch.int8),
        MinimalFrames(MinimalDecoder(size).to(device)),
        SpeechT5Frames(theirs),
        SpeechT5Frames(theirs, whole_prenet=False),
        TorchTransformerFrames(TorchTransformer(size).to(device)),
        Floor(size, device=device),
        Floor(size, layout="columns", device=device),
        *([Floor(size, layout="packed")] if packs(device) else []),
        *([SplitFloor(size)] if device == "cpu" else []),
        Floor(size, torch.bfloat16, device=device),
    ]


WHAT_IT_READS = {
    "ours": 4,
    "ours, bfloat16": 2,
    MinimalFrames.name: 4,
    "floor, rows": 4,
    "floor, columns": 4,
    "floor, packed": 4,
    SplitFloor.name: 4,
    "floor, rows, bfloat16": 2,
}
"""Bytes of a number, for those who read no more than they must: each weight and cache once."""


def read_bytes(name: str, size: ModelSize, frames: int) -> int:
    """Return the bytes that a contender has to read for a frame; 0 if that is not known."""
    numbers = size.weight_numbers() + size.cache_numbers(frames, frames)
    return WHAT_IT_READS.get(name, 0) * numbers


def packs(device: str) -> bool:
    """Return whether weights can be packed for oneDNN."""
    return device == "cpu" and cpu.packs(torch.float32)


def turns(makers: list[FrameMaker], scale: Scale, length: int) -> dict[str, Timing]:
    """Time all who are not hopeless at this length."""
    able = [each for each in makers if each.name != NO_CACHE or length <= LONGEST_WITHOUT_CACHE]
    ready = {each.name: each.contender(rows=1, frames=length) for each in able}
    return take_turns(
        ready,
        rounds=scale.rounds,
        block_seconds=scale.block_seconds,
        clock=clock_of(torch.device(scale.device)),
    )


def floor_of(timings: dict[str, Timing]) -> float:
    """Return the fastest of the floors in float32."""
    names = [f"floor, {layout}" for layout in ("rows", "columns", "packed", "split")]
    return min(timings[name].median for name in names if name in timings)


def _speed_of_reading(size: ModelSize, frames: int, name: str, timing: Timing) -> dict[str, float]:
    read = read_bytes(name, size, frames)
    return {"GB_per_s": read / timing.median / 1e9} if read else {}


def _judge_frame(result: CaseResult, timings: dict[str, Timing], setting: Setting) -> None:
    ours = timings["ours"].median
    result.judge("ours / floor", ours / floor_of(timings), "at most", 1.25, setting)
    by_rows = ours / timings["floor, rows"].median
    result.judge("ours / floor by rows", by_rows, "at most", 1.25, setting)
    for slower, faster in (
        ("SpeechT5", "ours"),
        ("SpeechT5, prenet once a frame", "ours"),
        ("ours", "ours, bfloat16"),
    ):
        result.judge_medians(timings, slower, faster, "at least", 1.6, setting)


def _judge_growth(
    result: CaseResult, timings: dict[int, dict[str, Timing]], size: ModelSize, threads: int
) -> None:
    """Compare how ours grows with how the bytes do that it reads."""
    short, long = min(timings), max(timings)
    grown = timings[long]["ours"].median / timings[short]["ours"].median
    ratio = grown / (read_bytes("ours", size, long) / read_bytes("ours", size, short))
    setting = {"threads": threads, "rows": 1, "frames": [short, long]}
    result.judge("growth of ours / growth of the bytes", ratio, "at most", 1.15, setting)
