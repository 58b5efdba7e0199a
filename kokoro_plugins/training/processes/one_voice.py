"""One of several processes says why they all end, and the others end without a word."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from typing import NoReturn

from torch import distributed

from kokoro_core.cli.toolkit import print_error
from kokoro_plugins.training.processes.group import number_of_processes

COUNTER = "kokoro/who-speaks"
"""In what the processes have met by: how many have asked whether they are to speak."""

SIGNS = (
    "Connection closed by peer",
    "Connection reset by peer",
    "Broken pipe",
    "remote process exiting",
    "communicator was aborted",
)
"""What stands in the errors of a process that another one has left: the last two are NCCL's."""

PATIENCE = 10.0
"""Seconds that the process which the others ask waits for their questions."""

HEAD_START = 1.0
"""Seconds that the others leave to the one that speaks: launchers end it as soon as they end."""


class ProcessLost(RuntimeError):
    """Another process of the training has ended; one of those left has said so."""


def is_loss(error: BaseException) -> bool:
    """Return whether an error says that another process has gone."""
    said = str(error)
    return isinstance(error, RuntimeError) and any(each in said for each in SIGNS)


@cache
def is_to_speak() -> bool:
    """Return whether this process says why all end: the first that asks, whoever is left.

    Where the one that is asked, the first process unless a launcher is, has gone without an answer,
    the next one speaks.
    """
    if number_of_processes() == 1:
        return True
    rank = distributed.get_rank()
    try:
        store = distributed.distributed_c10d._get_default_store()
        store.set_timeout(timedelta(seconds=PATIENCE))
        return store.add(COUNTER, 1) == 1
    except (RuntimeError, OSError):
        return rank < 2


@contextmanager
def one_voice(what_is_left: Callable[[], str]) -> Iterator[None]:
    """Let one process say that another has gone, while signals are still heeded.

    Launchers ask the others to end as soon as one has, so that a moment later is too late.

    Args:
        what_is_left: Returns in words what was saved, without a full stop.

    Raises:
        ProcessLost: Another process has ended, by itself or by somebody's will.
    """
    try:
        yield
    except Exception as error:
        if number_of_processes() == 1:
            raise
        speaks = is_to_speak()
        if not is_loss(error):
            raise
        lost = ProcessLost(
            f"One of the {number_of_processes()} processes that train together has ended, so all "
            f"end: {what_is_left()}; the same command with `--resume` goes on."
        )
        if speaks:
            print_error(str(lost))
        raise lost from error


def end_quietly(status: int) -> NoReturn:
    """End a process that has nothing to say, a moment after the one that speaks."""
    time.sleep(HEAD_START)
    raise SystemExit(status)


def let_others_ask(*, is_lost: bool) -> None:
    """Stay until the others know that somebody has spoken, or no longer come.

    Args:
        is_lost: Whether one of them has gone, so that it will not ask.
    """
    others = number_of_processes() - is_lost
    if others == 1 or distributed.get_rank() != 0:
        return
    with suppress(RuntimeError, OSError):
        store = distributed.distributed_c10d._get_default_store()
        if distributed.get_backend() == "gloo":
            distributed.destroy_process_group()  # so that those who wait for this process stop
        end = time.monotonic() + PATIENCE
        while store.add(COUNTER, 0) < others and time.monotonic() < end:
            time.sleep(0.05)
