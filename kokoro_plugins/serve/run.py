"""Run the app in uvicorn until a signal, and end without cutting anybody off."""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import final

import uvicorn
from starlette.applications import Starlette

_LOOK_SECONDS = 0.1


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a server that listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        OSError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise OSError(f"`{host}` port {port} cannot be listened at: {error}.") from None


def run(
    app: Starlette,
    listening: socket.socket,
    *,
    grace_seconds: float,
    log_level: str = "info",
    when_ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT; then refuse what is new and end what runs.

    A second signal ends at once.

    Args:
        app: What `speech_app` returned.
        listening: Where.
        grace_seconds: The most that is waited for running requests.
        log_level: Of uvicorn.
        when_ready: Called when requests are answered.

    Raises:
        OSError: The server ended without a signal.
    """
    config = uvicorn.Config(
        app, lifespan="on", server_header=False, timeout_graceful_shutdown=1, log_level=log_level
    )
    server = uvicorn.Server(config)
    # Beside the main thread uvicorn takes no signals, at which it would stop to listen.
    errors: list[BaseException] = []
    thread = threading.Thread(
        target=_served, args=(server, listening, errors), name="server", daemon=True
    )
    with _Signals.caught() as signals:
        thread.start()
        while thread.is_alive() and not server.started:
            time.sleep(_LOOK_SECONDS)
        if thread.is_alive():
            when_ready()
        while thread.is_alive() and not signals.count:
            time.sleep(_LOOK_SECONDS)
        if not signals.count:
            raise _ended_alone(errors)
        _finish(app, grace_seconds, signals)
        server.should_exit = True
        thread.join()


def _served(server: uvicorn.Server, listening: socket.socket, errors: list[BaseException]) -> None:
    """Serve, and note what ended it."""
    try:
        server.run(sockets=[listening])
    except BaseException as error:  # a thread drops SystemExit in silence
        errors.append(error)


def _ended_alone(errors: list[BaseException]) -> OSError:
    why = f": {errors[0]!r}" if errors else ", and its log says why"
    ended = OSError(f"The server ended without a signal that asked for it{why}.")
    ended.__cause__ = errors[0] if errors else None
    return ended


def _finish(app: Starlette, seconds: float, signals: _Signals) -> None:
    """Let running requests end while new ones are refused."""
    desk = app.state.desk
    desk.is_closing = True
    deadline = time.monotonic() + seconds
    while desk.busy and time.monotonic() < deadline and signals.count < 2:
        time.sleep(_LOOK_SECONDS)


@final
class _Signals:
    """Counts the signals that ask for an end."""

    def __init__(self) -> None:
        self.count = 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    @classmethod
    @contextlib.contextmanager
    def caught(cls) -> Iterator[_Signals]:
        """Count signals within a block, and leave them to others after it."""
        signals = cls()
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, signals._note) for each in numbers}
        try:
            yield signals
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
