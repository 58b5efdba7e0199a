"""Requests of different lengths, of which several are spoken at the same time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from kokoro_core import KokoroModel
from kokoro_core.generation import GenerationRequest
from kokoro_plugins.bench.peers.contract import random_batch
from kokoro_plugins.bench.peers.ours import our_model
from kokoro_plugins.bench.results import CaseResult
from kokoro_plugins.bench.sizes import ModelSize, Scale
from kokoro_plugins.bench.timing import Contender, Timing, clock_of, take_turns

SHORTEST, LONGEST = 0.25, 1.75
"""Of the lengths, as shares of their mean."""

IN_PLACES = "rows that make place"
PEAK = "one large product"
LARGE = 1024
"""Rows, columns and depth of the product that is as fast as the machine's products are."""


def measure(scale: Scale, threads: int) -> CaseResult:
    """Time as many requests as fill all rows twice, row by row and batch by batch."""
    result = CaseResult("many", "requests of different lengths: rows that make place, and batches")
    model = our_model(scale.model).to(scale.device).eval()
    clock = clock_of(torch.device(scale.device))
    for rows in scale.batches:
        lengths = lengths_of(2 * rows, scale.utterance)
        asked = [_arguments(scale, length) for length in lengths]
        ready = {
            IN_PLACES: Contender(partial(_in_places, model, asked, rows)),
            "batches": Contender(partial(_in_batches, model, asked, rows)),
            PEAK: _large_product(scale.device),
        }
        timings = take_turns(ready, rounds=scale.rounds, block_seconds=0.1, clock=clock)
        setting = {"threads": threads, "rows": rows, "frames": scale.utterance}
        work = sum(multiply_adds(scale.model, length) for length in lengths)
        result.add(timings, setting, _speed(work, sum(lengths)))
        if rows > 1:
            result.judge_medians(
                timings, "batches", "rows that make place", "at least", 1.0, setting
            )
    result.notes.append(
        "Multiply-adds are those of the decoder's steps; encoding and projecting the memory, which "
        "are in the time, come on top."
    )
    return result


def lengths_of(count: int, mean: int) -> list[int]:
    """Return lengths in frames, evenly spread around a mean and in no order."""
    spread = [
        round(mean * (SHORTEST + (LONGEST - SHORTEST) * at / max(1, count - 1)))
        for at in range(count)
    ]
    random.Random(0).shuffle(spread)
    return [max(1, length) for length in spread]


def multiply_adds(size: ModelSize, frames: int) -> int:
    """Return the multiply-adds of the steps of one row, its memory as long as it is."""
    caches = sum(size.cache_numbers(made + 1, frames) for made in range(frames))
    return frames * size.weight_numbers() + caches


def _arguments(scale: Scale, frames: int) -> dict[str, Any]:
    batch = random_batch(scale.model, rows=1, frames=frames, device=scale.device)
    return {
        "phoneme_indices": batch.phoneme_indices,
        "durations": batch.durations,
        "max_mel_len": frames,
        "stop_threshold": 1.0,  # random weights do not know when to stop
    }


def _in_places(model: KokoroModel, asked: list[dict[str, Any]], rows: int) -> None:
    requests: Iterator[GenerationRequest] = (model.request(**each) for each in asked)
    for _ in model.generate_many(requests, rows=rows):
        pass


def _in_batches(model: KokoroModel, asked: list[dict[str, Any]], rows: int) -> None:
    """Speak as many at once as there are rows, each batch to its end."""
    for first in range(0, len(asked), rows):
        part = asked[first : first + rows]
        phonemes, durations = (
            torch.nn.utils.rnn.pad_sequence([each[name][0] for each in part], batch_first=True)
            for name in ("phoneme_indices", "durations")
        )
        longest = max(each["max_mel_len"] for each in part)
        model.generate(phonemes, durations=durations, max_mel_len=longest, stop_threshold=1.0)


def _large_product(device: str) -> Contender:
    left, right = torch.randn(2, LARGE, LARGE, device=device)
    return Contender(lambda: left @ right)


def _speed(work: int, frames: int) -> Any:
    """Return what tells frames a second, and how fast the products go."""

    def told(name: str, timing: Timing) -> dict[str, float]:
        count = LARGE**3 if name == PEAK else work
        speed = {"gflop_per_s": 2e-9 * count / timing.median}
        return speed if name == PEAK else {**speed, "frames_per_s": frames / timing.median}

    return told
