"""How the processes of a command end: one says why, and all have the same exit status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kokoro_core.cli.toolkit import print_error
from kokoro_plugins.training.processes.group import is_first_process
from kokoro_plugins.training.processes.one_voice import (
    ProcessLost,
    end_quietly,
    is_to_speak,
    let_others_ask,
)
from kokoro_plugins.training.resume.resuming import TrainingStopped


@contextmanager
def ending_together() -> Iterator[None]:
    """End with the signal's status if one has stopped the training, and with 1 after an error.

    One process that trains alone raises its errors; of several one does.
    """
    try:
        yield
    except TrainingStopped as stopped:
        if not is_first_process():
            end_quietly(stopped.status)
        print_error(str(stopped))
        raise SystemExit(stopped.status) from None
    except ProcessLost:  # it is said already
        let_others_ask(is_lost=True)
        raise SystemExit(1) from None
    except Exception:
        if not is_to_speak():
            end_quietly(1)
        raise
