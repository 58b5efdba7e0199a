"""What the demo promises, training until it is kept, and how long that will take."""

import io
from typing import Any

import pytest
from rich.console import Console
from torch import nn

from kokoro_core import KokoroModel, load_spec
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.demo.promise import (
    FIRST_STEPS,
    SECONDS_TO_SEE,
    SECONDS_TO_SEE_AGAIN,
    TRIES,
    Forecast,
    UntilKept,
    describe_forecast,
)
from kokoro_plugins.training.evaluation import Evaluation
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import FrameBudget
from kokoro_plugins.training.settings import Promise, TrainingSettings
from registry import installed_plugins

PROMISE = Promise(mel_error=0.2, ended_in_time=0.9, distortion=1.5)
EASY = Promise(mel_error=1e9, ended_in_time=0.0, distortion=1e9)
IMPOSSIBLE = Promise(mel_error=0.0, ended_in_time=0.0, distortion=1e9)


def figures(free_running, ended):
    return Evaluation(
        teacher_forced=0.1,
        free_running=free_running,
        ended_in_time=ended,
        utterances=20,
        seconds=1.0,
        frames=100,
    )


def test_a_promise_names_what_is_missing_and_by_how_much():
    assert PROMISE.missing(figures(0.2, 18), 1.5) == []
    assert PROMISE.missing(figures(0.2004, 18), 1.5) == ["mel error 0.200, promised 0.2"]
    assert PROMISE.missing(figures(0.3, 17), 1.75) == [
        "mel error 0.300, promised 0.2",
        "17 of 20 ended by the stop token, promised 90%",
        "distortion 1.75 dB, promised 1.5",
    ]


@pytest.fixture
def data(corpus, small_spec):
    return AlignedSpeech(
        corpus=corpus, audio=small_spec.audio, pad_id=0, holdout=2, batch_frames=60
    )


def train_until(promise, data, spec, frames):
    said = io.StringIO()
    budget = FrameBudget(frames)
    console = Console(file=said, width=200)
    until = UntilKept(promise=promise, data=data, budget=budget, console=console)
    seed_everything(0)
    settings = TrainingSettings(warmup_steps=1, precision="32", device="cpu")
    history = fit(KokoroModel.from_spec(spec), data, budget, settings, observers=[until])
    return history, said.getvalue()


def test_training_ends_with_its_budget_where_the_promise_is_kept(data, small_spec):
    history, said = train_until(EASY, data, small_spec, 600)
    assert 600 <= history.frames < 660
    assert said == ""


def test_training_goes_on_where_it_is_not_kept_and_not_for_ever(data, small_spec):
    history, said = train_until(IMPOSSIBLE, data, small_spec, 600)
    assert said.count("not there yet: mel error") == TRIES
    longer = 600 * (1 + 0.25 * TRIES)
    assert longer <= history.frames < longer + 60 * (1 + TRIES)


NONE = StepFigures(losses={}, gradient_norm=0.0, frames=0, stop=False)
"""Figures that nobody looks at."""


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def forecast(frames, *paces, extended_after=None):
    """Return what is said while steps of 1,000 frames take so many seconds, as often as told."""
    said, clock, budget = io.StringIO(), Clock(), FrameBudget(frames)
    observer = Forecast(console=Console(file=said, width=200), clock=clock)
    model: Any = nn.Module()  # the forecast looks at none of it
    model.spec, model.plugins = load_spec("quick"), installed_plugins()
    model.acoustic, model.vocoder = nn.Module(), None
    module = TrainingModule(model=model, budget=budget)
    for seconds_a_step in (40.0,) * (FIRST_STEPS - 1) + sum(paces, ()):  # the first ones are slow
        clock.now += seconds_a_step
        module.step, module.frames = module.step + 1, module.frames + 1000
        observer.on_step(module, NONE)
        if module.step == extended_after:
            budget.extend(0.25, module.frames)
    return said.getvalue().splitlines()


def at(seconds_a_step, steps):
    return (seconds_a_step,) * steps


SEEN = 1 + int(SECONDS_TO_SEE / 0.5)
"""Steps of half a second, after the first slow ones, until a forecast is made."""

FRAMES = (FIRST_STEPS - 1 + SEEN + 1290) * 1000
"""Of which 1,290 steps, 645 seconds, are left then."""

ELEVEN = "about 11 minutes on this machine; `--minutes 5` ends sooner and says what is missing"


def test_how_long_training_will_take_is_said_once_where_it_comes_true():
    assert forecast(FRAMES, at(0.5, SEEN - 1)) == []
    assert forecast(FRAMES, at(0.5, SEEN)) == [ELEVEN]
    assert forecast(FRAMES, at(0.5, SEEN + 1290)) == [ELEVEN]


def test_a_forecast_from_busy_seconds_is_corrected_once_the_machine_is_quiet():
    # 180 steps on, in the 30 seconds that the next look takes, 1,110 are left: 185 seconds.
    assert forecast(FRAMES, at(0.5, SEEN), at(1 / 6, 1290)) == [
        ELEVEN,
        "about 3 minutes more, not 10 as it looked before",
    ]


@pytest.mark.parametrize(
    ("steps", "seconds_a_step", "left", "expected"),
    [
        (180, 1.5, 27, 9),  # 20 steps in 30 seconds; 1,090 are left, where 525 seconds should be
        (1140, 4.0, 9, 1),  # 8 steps in 32 seconds; 142 are left, where 43 seconds should be
    ],
)
def test_a_machine_that_becomes_busy_is_told_of_as_well(steps, seconds_a_step, left, expected):
    assert forecast(FRAMES, at(0.5, SEEN + steps), at(seconds_a_step, 1290 - steps)) == [
        ELEVEN,
        f"about {left} minutes more, not {expected} as it looked before",
    ]


def test_what_is_wrong_by_less_than_a_third_or_by_less_than_a_minute_is_let_be():
    assert forecast(FRAMES, at(0.5, SEEN), at(0.64, 1290)) == [ELEVEN]
    short = (FIRST_STEPS - 1 + SEEN + 140) * 1000
    assert forecast(short, at(0.5, SEEN), at(0.8, 140)) == ["about 1 minute on this machine"]


def test_a_pace_that_changes_all_the_time_is_told_by_its_mean():
    uneven = (0.1, 0.9) * 645
    assert forecast(FRAMES, at(0.5, SEEN), uneven) == [ELEVEN]


def test_a_pace_that_changes_for_minutes_is_not_told_of_at_every_step():
    waves = (at(0.2, 300) + at(1.2, 50)) * 3  # a minute each
    said = forecast(FRAMES, at(0.5, SEEN), waves)
    assert 2 < len(said) <= 1 + 360 / SECONDS_TO_SEE_AGAIN


def test_a_training_that_goes_on_is_forecast_anew():
    frames = (FIRST_STEPS - 1 + SEEN + 400) * 1000
    # 400 steps and 17 are all; a quarter of 421 more are 105 steps, of 3 seconds each.
    steps = FIRST_STEPS - 1 + SEEN + 400
    first = "about 3 minutes on this machine; `--minutes 1` ends sooner and says what is missing"
    assert forecast(frames, at(0.5, SEEN + 400), at(3.0, 100), extended_after=steps) == [
        first,
        "about 5 minutes more, not 1 as it looked before",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5, "about 1 minute on this machine"),
        (100, "about 2 minutes on this machine"),
        (
            200,
            "about 3 minutes on this machine; `--minutes 1` ends sooner and says what is missing",
        ),
    ],
)
def test_a_forecast_advises_less_only_where_there_is_less(seconds, words):
    assert describe_forecast(seconds) == words
