"""What the demo promises, and training until it is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import final

from rich.console import Console

from kokoro_plugins.training.data.data_module import AlignedSpeech
from kokoro_plugins.training.evaluation import distortion, evaluate
from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.loop.schedule import FrameBudget
from kokoro_plugins.training.settings import Promise

LONGER = 0.25
"""By which share of the budget training goes on where the promise is not kept yet."""

TRIES = 4
"""How often it goes on, at most."""

SECONDS_TO_SEE = 8.0
"""How long training runs before it says how long it will take."""

SECONDS_TO_SEE_AGAIN = 30.0
"""How long training runs on before it looks if that is still true."""

MOVED = 1 / 3
"""By which share of what was said it must be wrong to be said anew."""

FIRST_STEPS = 5
"""Steps that are slower than those after them, since memory and kernels are new."""


@final
class UntilKept(Observer):
    """Lets training go on while its budget of frames is used up and a promise is not kept.

    Args:
        promise: What is to be reached.
        data: What is held out.
        budget: Is extended.
        console: Where it is said.
    """

    def __init__(
        self, *, promise: Promise, data: AlignedSpeech, budget: FrameBudget, console: Console
    ) -> None:
        self._promise = promise
        self._data = data
        self._budget = budget
        self._console = console
        self._tries = 0

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Look if the promise is kept when the budget is used up."""
        if not module.finished or self._tries == TRIES:
            return
        with module.speaking():
            batches = self._data.val_dataloader()
            heard = distortion(module.model, batches, self._data.audio)
            missing = self._promise.missing(evaluate(module.model, batches), heard)
        if missing:
            self._tries += 1
            self._budget.extend(LONGER, module.frames)
            module.finished = False
            self._console.print(
                f"not there yet: {', '.join(missing)}; training goes on for another {LONGER:.0%}",
                soft_wrap=True,
            )


@final
class Forecast(Observer):
    """Says after the first seconds how long training will take, and when that turns out wrong.

    What else the machine does may change at any time, so every look goes by the time since the one
    before it.

    Args:
        console: Where it is said.
        clock: Returns seconds.
    """

    def __init__(self, *, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._looked: tuple[float, float] | None = None
        self._done = 0.0
        self._said: tuple[float, float] | None = None

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Look when there is enough to tell it by."""
        if module.step < FIRST_STEPS:
            return
        now, done = self._clock(), module.progress
        if self._looked is None or done < self._done:  # it goes back where training is extended
            self._looked = now, done
        self._done = done
        seconds, share = now - self._looked[0], done - self._looked[1]
        enough = SECONDS_TO_SEE if self._said is None else SECONDS_TO_SEE_AGAIN
        if seconds >= enough and share > 0:
            self._looked = now, done
            self._say(now, (1 - done) * seconds / share)

    def _say(self, now: float, left: float) -> None:
        """Say how many seconds are left, unless that was said and is still about right."""
        words = describe_forecast(left)
        if self._said is not None:
            passed, in_all = now - self._said[0], self._said[1]
            expected = max(0.0, in_all - passed)
            moved = abs(passed + left - in_all) > MOVED * in_all
            if not moved or _minutes(left) == _minutes(expected):
                return
            words = describe_correction(left, expected)
        self._said = now, left
        self._console.print(words, soft_wrap=True)


def describe_forecast(seconds: float) -> str:
    """Return in words how long training will take, and how to have less of it."""
    minutes = _minutes(seconds)
    words = f"about {_count(minutes)} on this machine"
    if minutes > 2:
        words += f"; `--minutes {minutes // 2}` ends sooner and says what is missing"
    return words


def describe_correction(seconds: float, expected: float) -> str:
    """Return in words how long training still takes, and what the last words led to expect."""
    return f"about {_count(_minutes(seconds))} more, not {_minutes(expected)} as it looked before"


def _minutes(seconds: float) -> int:
    return max(1, round(seconds / 60))


def _count(minutes: int) -> str:
    return f"{minutes} minute{'s' if minutes > 1 else ''}"
