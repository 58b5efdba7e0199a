import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kokoro_plugins.training.schedule import StepBudget, TimeBudget, rate_factor


class Clock:
    """Seconds that a test sets."""

    now = 1000.0

    def __call__(self):
        return self.now


def test_steps_are_counted():
    budget = StepBudget(8)
    budget.start()
    assert [budget.progress(step) for step in (0, 2, 8, 9)] == [0, 0.25, 1, 1]


def test_time_is_counted_from_the_start():
    clock = Clock()
    budget = TimeBudget(2, clock)
    clock.now += 500
    assert budget.progress(7) == 0
    budget.start()
    for passed, progress in ((0, 0), (30, 0.25), (120, 1), (400, 1)):
        clock.now = 1500 + passed
        assert budget.progress(7) == progress


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
