"""One frame after a number of frames: ours, its peers and the floor."""

from __future__ import annotations

import torch

from kokoro_plugins.bench.growth import fit_growth
from kokoro_plugins.bench.peers.contract import FrameMaker
from kokoro_plugins.bench.peers.floor import Floor
from kokoro_plugins.bench.peers.minimal import MinimalDecoder, MinimalFrames
from kokoro_plugins.bench.peers.ours import OurFrames, our_model
from kokoro_plugins.bench.peers.speecht5 import SpeechT5Frames, speecht5
from kokoro_plugins.bench.peers.torch_transformer import TorchTransformer, TorchTransformerFrames
from kokoro_plugins.bench.results import CaseResult, Verdict
from kokoro_plugins.bench.sizes import ModelSize, Scale
from kokoro_plugins.bench.timing import Timing, take_turns

NO_CACHE = TorchTransformerFrames.name
LONGEST_WITHOUT_CACHE = 400
"""Frames; a model without a cache takes seconds a frame beyond."""


def measure(scale: Scale) -> CaseResult:
    """Time the next frame after each of the lengths, one row."""
    result = CaseResult("frame", "one frame of one row, by the frames before it")
    makers = contenders(scale.model)
    for threads in scale.threads:
        torch.set_num_threads(threads)
        timings = {length: turns(makers, scale, length) for length in scale.lengths}
        for length, found in timings.items():
            setting = {"threads": threads, "rows": 1, "frames": length}
            result.add(found, setting)
        _judge(result, timings, scale, threads)
    return result


def contenders(size: ModelSize) -> list[FrameMaker]:
    """Return everybody who can make a frame."""
    ours, theirs = our_model(size), speecht5(size)
    return [
        OurFrames(ours),
        OurFrames(ours, torch.bfloat16),
        MinimalFrames(MinimalDecoder(size)),
        SpeechT5Frames(theirs),
        SpeechT5Frames(theirs, whole_prenet=False),
        TorchTransformerFrames(TorchTransformer(size)),
        Floor(size),
        Floor(size, layout="columns"),
        Floor(size, torch.bfloat16),
    ]


def turns(makers: list[FrameMaker], scale: Scale, length: int) -> dict[str, Timing]:
    """Time all who are not hopeless at this length."""
    able = [each for each in makers if each.name != NO_CACHE or length <= LONGEST_WITHOUT_CACHE]
    ready = {each.name: each.contender(rows=1, frames=length) for each in able}
    return take_turns(ready, rounds=scale.rounds, block_seconds=scale.block_seconds)


def floor_of(timings: dict[str, Timing]) -> float:
    """Return the faster of the two floors in float32."""
    return min(timings[f"floor, {layout}"].median for layout in ("rows", "columns"))


def _judge(
    result: CaseResult, timings: dict[int, dict[str, Timing]], scale: Scale, threads: int
) -> None:
    setting = {"threads": threads, "rows": 1, "frames": scale.frame}
    at = timings[scale.frame]
    ours = at["ours"].median
    for name in timings[min(timings)]:
        costs = {length: each[name].median for length, each in timings.items() if name in each}
        if len(costs) > 1:
            result.growth.append((name, {"threads": threads, "rows": 1}, fit_growth(costs)))
    result.verdicts += [
        Verdict("ours / floor", ours / floor_of(at), "at most", 1.25, setting),
        Verdict("ours / floor by rows", ours / at["floor, rows"].median, "at most", 1.25, setting),
        Verdict("SpeechT5 / ours", at["SpeechT5"].median / ours, "at least", 1.6, setting),
        Verdict(
            "SpeechT5, prenet once a frame / ours",
            at["SpeechT5, prenet once a frame"].median / ours,
            "at least",
            1.6,
            setting,
        ),
        Verdict(
            "ours / ours, bfloat16", ours / at["ours, bfloat16"].median, "at least", 1.6, setting
        ),
        _growth_verdict(timings, scale, threads),
    ]


def _growth_verdict(timings: dict[int, dict[str, Timing]], scale: Scale, threads: int) -> Verdict:
    """Compare how ours grows with how the bytes do that it reads."""
    short, long = min(timings), max(timings)
    read = {
        each: scale.model.weight_numbers() + scale.model.cache_numbers(each, each)
        for each in (short, long)
    }
    grown = timings[long]["ours"].median / timings[short]["ours"].median
    setting = {"threads": threads, "rows": 1, "frames": [short, long]}
    return Verdict(
        "growth of ours / growth of the bytes",
        grown / (read[long] / read[short]),
        "at most",
        1.15,
        setting,
    )
