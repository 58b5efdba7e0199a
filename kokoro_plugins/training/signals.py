"""`StopSignals`: a request to stop is noted, and acted on where nothing is lost."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self, final

STOP_SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP")
"""What asks a training to stop: a supervisor, Ctrl+C, a batch system ahead of its time limit, a
terminal that is closed. Not every system has all of them."""


@final
class StopSignals:
    """Notes the first signal; a second one ends the process at once, as if nobody listened.

    To be used in a ``with`` block, which gives the former handlers back. A signal that the process
    was started to ignore (``nohup``) stays ignored.

    Attributes:
        received: The signal that came, or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    @property
    def status(self) -> int:
        """The exit status that shells give a process which a signal ended: 128 and its number."""
        return 128 + self.received if self.received else 0

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            raise ValueError(
                "Signals can be watched from the main thread alone; train there, or without saving."
            )
        for each in stop_signals():
            if signal.getsignal(each) is not signal.SIG_IGN:
                self._before[each] = signal.getsignal(each)
        self.listen()
        return self

    def listen(self) -> None:
        """Take the signals, also from who has taken them since."""
        if self.received is None:
            for each in self._before:
                signal.signal(each, self._note)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)  # the system acts on it even where Python cannot


def ignore_stop_signals() -> None:
    """Leave it to the parent process to stop: terminals and batch systems signal every process."""
    for each in stop_signals():
        signal.signal(each, signal.SIG_IGN)


def stop_signals() -> list[signal.Signals]:
    """Return the signals of this system that ask to stop."""
    return [signal.Signals[name] for name in STOP_SIGNALS if hasattr(signal, name)]
