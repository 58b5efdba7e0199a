import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_plugins.training.loop.schedule import (
    FrameBudget,
    StepBudget,
    Stopwatch,
    TimeBudget,
)
from kokoro_plugins.training.updates.schedules import rate_factor


class Clock:
    """Seconds that a test sets."""

    now = 1000.0

    def __call__(self):
        return self.now


def test_steps_are_counted():
    budget = StepBudget(8)
    budget.start()
    assert [budget.progress(step, 70) for step in (0, 2, 8, 9)] == [0, 0.25, 1, 1]


def test_time_is_counted_from_the_start():
    clock = Clock()
    budget = TimeBudget(2, clock)
    clock.now += 500
    assert budget.progress(7, 70) == 0
    budget.start()
    for passed, progress in ((0, 0), (30, 0.25), (120, 1), (400, 1)):
        clock.now = 1500 + passed
        assert budget.progress(7, 70) == progress


@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps_are_refused(steps):
    with pytest.raises(ValueError, match=f"`steps` must be 1 or more, not {steps}"):
        StepBudget(steps)


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.inf, math.nan])
def test_no_time_is_refused(minutes):
    with pytest.raises(ValueError, match=f"`minutes` must be a number above 0, not {minutes}"):
        TimeBudget(minutes)


def test_the_rate_rises_in_a_line_and_falls_in_half_a_cosine():
    assert rate_factor(0, 0.0, warmup_steps=3) == pytest.approx(0.25)
    assert rate_factor(1, 0.0, warmup_steps=3) == pytest.approx(0.5)
    assert rate_factor(3, 0.0, warmup_steps=3) == pytest.approx(1.0)
    assert rate_factor(100, 0.5, warmup_steps=3) == pytest.approx(0.51)
    assert rate_factor(100, 1.0, warmup_steps=3) == pytest.approx(0.02)


@given(step=st.integers(0, 10**6), progress=st.floats(0, 1), warmup=st.integers(0, 1000))
@example(step=0, progress=0.0, warmup=0)
@example(step=0, progress=1.0, warmup=1000)
@settings(deadline=None)
def test_the_rate_is_never_zero_nor_above_its_peak(step, progress, warmup):
    assert 0 < rate_factor(step, progress, warmup_steps=warmup) <= 1


@given(progress=st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted))
@example(progress=[0.0, 1.0])
@settings(deadline=None)
def test_after_the_warm_up_the_rate_only_falls(progress):
    early, late = (rate_factor(500, each, warmup_steps=100) for each in progress)
    assert late <= early


def test_frames_are_counted_whatever_the_steps():
    budget = FrameBudget(1000)
    budget.start()
    assert [budget.progress(step, 10 * step) for step in (0, 25, 100, 130)] == [0, 0.25, 1, 1]
    assert not budget.by_the_clock
    assert str(FrameBudget(1_200_000)) == "1,200,000 frames"


def test_a_budget_of_frames_that_is_extended_has_that_share_left():
    budget = FrameBudget(1000)
    budget.extend(0.25, 1040)
    assert [budget.progress(1, frames) for frames in (1040, 1165, 1290)] == [0.75, 0.875, 1]
    budget.extend(0.25, 1300)
    assert [budget.progress(1, frames) for frames in (1300, 1550)] == [0.75, 1]


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match="`frames` must be 1 or more, not 0"):
        FrameBudget(0)


def test_a_stopwatch_leaves_its_pauses_out():
    clock = Clock()
    stopwatch = Stopwatch(clock)
    started = stopwatch()
    clock.now += 3
    with stopwatch.paused():
        clock.now += 50
        clock.now += 7
    clock.now += 2
    assert stopwatch() - started == 5


def test_a_pause_that_an_error_ends_is_left_out_too():
    clock = Clock()
    stopwatch = Stopwatch(clock)
    started = stopwatch()

    def fail_after_a_while():
        with stopwatch.paused():
            clock.now += 7
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_a_while()
    assert stopwatch() - started == 0


def test_a_stopwatch_divides_the_time_of_all_threads_by_their_number():
    clock = Clock()
    stopwatch = Stopwatch(clock, threads=4)
    started = stopwatch()
    clock.now += 8
    assert stopwatch() - started == 2
