"""Turns, statistics and growth, on a clock that the test moves."""

from __future__ import annotations

import math
import statistics
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from kokoro_plugins.bench.growth import fit_growth
from kokoro_plugins.bench.timing import Contender, Timing, clock_of, take_turns


class Workshop:
    """A clock and contenders that move it; notes who did what."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []

    def clock(self) -> float:
        return self.now

    def contender(self, name: str, seconds: list[float]) -> Contender:
        """Return one whose calls take these seconds in turn, the last one for ever."""
        left = list(seconds)

        def run() -> None:
            self.log.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return Contender(run, lambda: self.log.append(f"rewind {name}"))


def test_a_sample_is_the_mean_of_a_block_without_its_first_call() -> None:
    shop = Workshop()
    one = shop.contender("a", [3.0, 1.0, 1.5, 2.0])
    timings = take_turns({"a": one}, rounds=1, block_seconds=9.0, clock=shop.clock)
    assert timings["a"].samples == (1.5,)
    assert shop.log == ["rewind a", "a", "rewind a", "a", "a", "a"]


def test_contenders_take_turns_in_alternating_order() -> None:
    shop = Workshop()
    contenders = {name: shop.contender(name, [1.0]) for name in "ab"}
    take_turns(contenders, rounds=3, block_seconds=0.0, clock=shop.clock)
    assert [each for each in shop.log if "rewind" not in each] == list("abbaab")


def test_a_short_call_is_repeated_as_often_as_a_block_allows_but_not_more_than_is_said() -> None:
    shop = Workshop()
    quick = {"a": shop.contender("a", [0.25])}
    take_turns(quick, rounds=1, block_seconds=1.0, clock=shop.clock)
    assert shop.log.count("a") == 1 + 4
    shop.log.clear()
    take_turns(quick, rounds=1, block_seconds=1.0, max_calls=3, clock=shop.clock)
    assert shop.log.count("a") == 1 + 3


def test_a_call_that_takes_no_time_on_the_clock_does_not_run_for_ever() -> None:
    shop = Workshop()
    still = {"a": shop.contender("a", [0.0])}
    timings = take_turns(still, rounds=1, block_seconds=1.0, max_calls=7, clock=shop.clock)
    assert (timings["a"].samples, shop.log.count("a")) == ((0.0,), 1 + 7)


@pytest.mark.parametrize("name", ["rounds", "max_calls"])
def test_there_must_be_rounds_and_calls(name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1, not 0"):
        take_turns({}, **cast("Any", {"rounds": 1, name: 0}))


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=9))
@example([2.0, 1.0])
def test_the_best_and_the_median_are_those_of_the_samples(samples: list[float]) -> None:
    timing = Timing(tuple(samples))
    assert timing.best == sorted(samples)[0]
    assert timing.median == float(np.median(samples))


def test_the_clock_of_the_cpu_goes_forward() -> None:
    clock = clock_of(torch.device("cpu"))
    assert clock() < clock()


@given(
    st.floats(1e-4, 1.0),
    st.floats(0.0, 1e-2),
    st.lists(st.integers(1, 5000), min_size=2, max_size=6, unique=True),
)
@example(0.007, 0.0, [100, 1600])
@example(0.001, 0.01, [1, 2])
def test_the_growth_of_a_line_is_that_line(base: float, slope: float, lengths: list[int]) -> None:
    found = fit_growth({length: base + slope * length for length in lengths})
    assert math.isclose(found.slope, slope, rel_tol=1e-6, abs_tol=1e-12)
    assert math.isclose(found.base, base, rel_tol=1e-6, abs_tol=1e-9 + slope * 1e-6)


@given(st.floats(0.1, 2.0), st.floats(1e-5, 1e-2))
@example(1.0, 1e-3)
def test_the_exponent_of_a_power_is_its_own(power: float, factor: float) -> None:
    found = fit_growth({length: factor * length**power for length in (100, 400, 1600)})
    assert math.isclose(found.exponent, power, rel_tol=1e-9)
    assert math.isclose(found.ratio, 16**power, rel_tol=1e-9)


def test_the_line_and_its_fit_are_those_of_numpy() -> None:
    costs = {100: 0.010, 200: 0.013, 400: 0.014, 800: 0.023, 1600: 0.034}
    found = fit_growth(costs)
    slope, base = np.polyfit(list(costs), list(costs.values()), 1)
    assert math.isclose(found.slope, slope, rel_tol=1e-9)
    assert math.isclose(found.base, base, rel_tol=1e-9)
    explained = np.corrcoef(list(costs), list(costs.values()))[0, 1] ** 2
    assert math.isclose(found.fit, explained, rel_tol=1e-9)


def test_what_does_not_grow_at_all_is_a_perfect_line() -> None:
    found = fit_growth({100: 0.5, 200: 0.5, 400: 0.5})
    assert (found.slope, found.exponent, found.fit, found.ratio) == (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("costs", [{}, {100: 1.0}, {0: 1.0, 1: 1.0}, {1: 0.0, 2: 1.0}])
def test_growth_needs_two_lengths_and_costs(costs: dict[int, float]) -> None:
    with pytest.raises(ValueError, match="two lengths or more and costs above 0"):
        fit_growth(costs)


def test_the_median_of_an_even_number_is_between_the_middle_two() -> None:
    assert Timing((1.0, 2.0, 3.0, 10.0)).median == statistics.mean([2.0, 3.0])
