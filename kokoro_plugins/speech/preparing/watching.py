"""How far a long work has come: a bar on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")

PAUSE = 5.0
"""Seconds between two lines."""


def watch(
    items: Iterable[T],
    total: int,
    console: Console,
    what: str = "prepared",
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """Yield items and show how many of all have come.

    Args:
        items: As many as `total`.
        total: How many there will be.
        console: Where it is shown.
        what: Was done with each.
        clock: Returns seconds.
    """
    if console.is_terminal:
        yield from track(items, what, total, console=console)
        return
    last, started = 0.0, None
    for number, item in enumerate(items, start=1):
        yield item
        now = clock()
        if started is None:  # processes have started, and work has its pace
            started = last = now
        elif now - last >= PAUSE and number < total:
            left = (now - started) / (number - 1) * (total - number)
            line = f"{what} {number:,} of {total:,}, about {left:,.0f} s left"
            console.print(line, soft_wrap=True, highlight=False)
            last = now
