"""What the demo promises, training until it is kept, and how long that will take."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from kokoro_core import KokoroModel
from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.demo.promise import (
    FIRST_STEPS,
    SECONDS_TO_SEE,
    TRIES,
    Forecast,
    UntilKept,
    describe_forecast,
)
from kokoro_plugins.training.evaluation import Evaluation
from kokoro_plugins.training.fit import fit, seed_everything
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.schedule import FrameBudget
from kokoro_plugins.training.settings import Promise, TrainingSettings

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
    history = fit(KokoroModel.from_spec(spec), data, budget, settings, callbacks=[until])
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


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def forecast_after(seconds_a_step, frames_a_step, frames, steps):
    said, clock = io.StringIO(), Clock()
    forecast = Forecast(
        budget=FrameBudget(frames), console=Console(file=said, width=200), clock=clock
    )
    module = TrainingModule(model=SimpleNamespace(), budget=FrameBudget(frames))
    for step in range(1, steps + 1):
        clock.now += 40 if step < FIRST_STEPS else seconds_a_step  # the first ones are slow
        module.step, module.frames = step, step * frames_a_step
        forecast.on_train_batch_end(None, module, None, None, step)
    return said.getvalue()


def test_how_long_training_will_take_is_said_once_after_the_first_seconds():
    steps = FIRST_STEPS + int(SECONDS_TO_SEE / 0.5)
    assert forecast_after(0.5, 1000, 1_320_000 + steps * 1000, steps - 1) == ""
    for more in (0, 30):
        said = forecast_after(0.5, 1000, 1_320_000 + steps * 1000, steps + more)
        assert said == (
            "about 11 minutes on this machine; `--minutes 5` ends sooner and says what is missing\n"
        )


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
