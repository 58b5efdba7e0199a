"""Timing by turns: every contender once a round, so that a slow minute hits all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

Clock = Callable[[], float]

SHORTEST = 1e-9
"""Seconds; no call takes less."""


@dataclass(frozen=True)
class Contender:
    """Something to be timed.

    Attributes:
        run: What is timed.
        rewind: What puts it back to where it began, not timed.
    """

    run: Callable[[], object]
    rewind: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Timing:
    """Seconds of one call, a sample a round.

    Attributes:
        samples: The mean over the calls of each round.
    """

    samples: tuple[float, ...]

    @property
    def best(self) -> float:
        """The fastest round."""
        return min(self.samples)

    @property
    def median(self) -> float:
        """The round in the middle."""
        return statistics.median(self.samples)


def take_turns(
    contenders: Mapping[str, Contender],
    *,
    rounds: int,
    block_seconds: float = 0.2,
    max_calls: int = 50,
    clock: Clock = time.perf_counter,
) -> dict[str, Timing]:
    """Time each contender once a round, in turn.

    A block is as many calls as fit in `block_seconds`, going by a call before it that is not
    counted, from 1 to `max_calls`. What takes longer than a block is called once, and goes without
    that call in the rounds after the first. The order turns around from round to round: whoever
    comes after a contender finds the caches as that one left them.

    Args:
        contenders: By name.
        rounds: How many samples each gets.
        block_seconds: The length of a block, about.
        max_calls: Most calls of a block.
        clock: Returns seconds; the device's work must be done when it does.

    Raises:
        ValueError: There are no rounds or no calls.
    """
    for name, value in (("rounds", rounds), ("max_calls", max_calls)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1, not {value}.")
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    expected = dict.fromkeys(contenders, 0.0)
    for turn in range(rounds):
        for name in list(contenders)[:: -1 if turn % 2 else 1]:
            contender = contenders[name]
            if expected[name] < block_seconds:  # a long call makes up for a cold start by itself
                expected[name] = _block(contender, 1, clock)
            calls = int(block_seconds / max(expected[name], SHORTEST))
            samples[name].append(_block(contender, max(1, min(max_calls, calls)), clock))
    return {name: Timing(tuple(each)) for name, each in samples.items()}


def _block(contender: Contender, calls: int, clock: Clock) -> float:
    """Return the mean time of a call."""
    contender.rewind()
    begin = clock()
    for _ in range(calls):
        contender.run()
    return (clock() - begin) / calls


def clock_of(device: torch.device) -> Clock:
    """Return a clock that waits for the device first."""
    if device.type == "cpu":
        return time.perf_counter

    def after_all_work() -> float:
        torch.accelerator.synchronize(device)
        return time.perf_counter()

    return after_all_work
