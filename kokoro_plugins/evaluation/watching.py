"""Says how far an evaluation has come: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

EVERY = 10.0
"""Seconds between two lines where no terminal is."""


@contextmanager
def watched(
    name: str,
    total: int,
    console: Console | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Callable[[], None]]:
    """Yield a function to call after each sentence.

    Args:
        name: Of what is measured.
        total: Sentences.
        console: Where it is said; None: standard error.
        clock: Returns seconds.
    """
    console = console or Console(stderr=True, markup=False, highlight=False)
    if not console.is_terminal:
        yield _Lines(name, total, console, clock).advance
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(name, total=total)
        yield lambda: bar.advance(task)


class _Lines:
    """A line whenever some time has gone by."""

    def __init__(self, name: str, total: int, console: Console, clock: Callable[[], float]) -> None:
        self._name, self._total, self._console, self._clock = name, total, console, clock
        self._started = self._said = clock()
        self._done = 0

    def advance(self) -> None:
        self._done += 1
        now = self._clock()
        if now - self._said < EVERY:
            return
        self._said = now
        left = (now - self._started) / self._done * (self._total - self._done)
        line = f"{self._name}: {self._done} of {self._total} sentences, about {left:.0f} s left"
        self._console.print(line, soft_wrap=True)
