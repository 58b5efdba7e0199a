"""Several rows at once."""

from __future__ import annotations

import torch

from kokoro_core import KokoroModel
from kokoro_plugins.bench.cases.frame import packs
from kokoro_plugins.bench.peers.contract import random_batch
from kokoro_plugins.bench.peers.floor import Floor
from kokoro_plugins.bench.peers.minimal import MinimalDecoder, MinimalFrames
from kokoro_plugins.bench.peers.ours import OurFrames, our_model
from kokoro_plugins.bench.peers.speecht5 import SpeechT5Frames, speecht5
from kokoro_plugins.bench.results import CaseResult, frames_per_second
from kokoro_plugins.bench.sizes import Scale
from kokoro_plugins.bench.timing import Contender, clock_of, take_turns


def frames(scale: Scale, threads: int) -> CaseResult:
    """Time the next frame of several rows, after the frames that the bars are for."""
    result = CaseResult("batch", "one frame of each row, several rows at once")
    ours, theirs = our_model(scale.model).to(scale.device), speecht5(scale.model).to(scale.device)
    makers = [
        OurFrames(ours),
        OurFrames(ours, torch.bfloat16),
        MinimalFrames(MinimalDecoder(scale.model).to(scale.device)),
        SpeechT5Frames(theirs),
        Floor(scale.model, device=scale.device),
        *([Floor(scale.model, layout="packed")] if packs(scale.device) else []),
    ]
    clock = clock_of(torch.device(scale.device))
    for rows in scale.batches:
        ready = {each.name: each.contender(rows=rows, frames=scale.frame) for each in makers}
        timings = take_turns(
            ready, rounds=scale.rounds, block_seconds=scale.block_seconds, clock=clock
        )
        setting = {"threads": threads, "rows": rows, "frames": scale.frame}
        result.add(timings, setting, frames_per_second(rows))
    return result


def utterances(scale: Scale, threads: int) -> CaseResult:
    """Time `generate` from phonemes to the mel, all rows of one length."""
    result = CaseResult("utterance", "whole utterances by `generate`, rows of equal length")
    model = our_model(scale.model).to(scale.device).eval()
    tried = [(rows, None) for rows in scale.batches] + [(1, torch.bfloat16)]
    ready = {_name(*each): _speaking(model, scale, *each) for each in tried}
    timings = take_turns(
        ready, rounds=scale.rounds, block_seconds=0.0, clock=clock_of(torch.device(scale.device))
    )
    for rows, dtype in tried:
        setting = {"threads": threads, "rows": rows, "frames": scale.utterance}
        name = "generate" if dtype is None else "generate, bfloat16"
        facts = frames_per_second(rows * scale.utterance)
        result.add({name: timings[_name(rows, dtype)]}, setting, facts)
    setting = {"threads": threads, "rows": 1, "frames": scale.utterance}
    one = timings[_name(1, None)].median
    ratio = one / timings[_name(1, torch.bfloat16)].median
    result.judge("generate / generate, bfloat16", ratio, "at least", 1.6, setting)
    if 8 in scale.batches:
        ratio = 8 * one / timings[_name(8, None)].median
        eight = {**setting, "rows": 8}
        result.judge("8 rows one by one / 8 rows at once", ratio, "at least", 4.0, eight)
    return result


def _name(rows: int, dtype: torch.dtype | None) -> str:
    return f"{rows}, {dtype}"


def _speaking(model: KokoroModel, scale: Scale, rows: int, dtype: torch.dtype | None) -> Contender:
    batch = random_batch(
        scale.model, rows=rows, frames=scale.utterance, device=torch.device(scale.device)
    )

    def speak() -> None:
        model.generate(
            batch.phoneme_indices,
            durations=batch.durations,
            max_mel_len=scale.utterance,
            dtype=dtype,
            stop_threshold=1.0,  # random weights do not know when to stop
        )

    return Contender(speak)
