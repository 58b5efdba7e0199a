"""Clients that ask a server for speech for a while, each again when it has its answer."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import final

TIMEOUT = 300.0
"""Seconds after which a client takes a server for dead."""

_HEAD = 44
"""Bytes before the first sample of a wav."""


@dataclass(frozen=True)
class Answer:
    """What a client got.

    Attributes:
        first_sound: Seconds from the request to the first sample.
        seconds: The same to the last one.
        samples: How many came.
    """

    first_sound: float
    seconds: float
    samples: int


@dataclass
class Load:
    """What all clients got.

    Attributes:
        answers: Those that came whole.
        failures: What went wrong with the others.
        wall_seconds: From the first request to the last answer.
    """

    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    wall_seconds: float = 0.0

    @property
    def share(self) -> float:
        """The share of the requests that were answered."""
        return len(self.answers) / max(1, len(self.answers) + len(self.failures))

    def speech_per_second(self, sample_rate: int) -> float:
        """Return how many seconds of speech came each second."""
        return sum(each.samples for each in self.answers) / sample_rate / self.wall_seconds


def ask(port: int, fields: dict[str, object]) -> Answer:
    """Ask for speech once, as a stream.

    Raises:
        OSError: There is no answer.
        http.client.HTTPException: The answer is not whole.
        ValueError: It is no sound.
    """
    begin = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        body = json.dumps({**fields, "response_format": "wav"})
        headers = {"content-type": "application/json"}
        connection.request("POST", "/v1/audio/speech", body, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError(f"status {answer.status}: {answer.read(500)!r}")
        first, length = 0.0, 0
        while chunk := answer.read1(65_536):
            length += len(chunk)
            if not first and length > _HEAD:
                first = time.perf_counter() - begin
    finally:
        connection.close()
    return Answer(first, time.perf_counter() - begin, (length - _HEAD) // 2)


@final
class Clients:
    """So many clients at once.

    Args:
        port: Where the server listens on this machine.
        requests: The fields of requests; clients take them in turn, each from another place on.
        count: How many clients.
    """

    def __init__(self, port: int, requests: Sequence[dict[str, object]], count: int) -> None:
        self._port = port
        self._requests = requests
        self._count = count

    def run(self, seconds: float, half_way: Callable[[], None] = lambda: None) -> Load:
        """Let all of them ask until the time is over, and once in any case.

        Args:
            seconds: For how long new requests are made.
            half_way: Called once in the middle.
        """
        load, begin = Load(), time.perf_counter()
        threads = [
            threading.Thread(target=self._one, args=(each, begin + seconds, load))
            for each in range(self._count)
        ]
        for thread in threads:
            thread.start()
        time.sleep(seconds / 2)
        half_way()
        for thread in threads:
            thread.join()
        load.wall_seconds = time.perf_counter() - begin
        return load

    def _one(self, index: int, until: float, load: Load) -> None:
        while True:
            try:
                fields = self._requests[index % len(self._requests)]
                load.answers.append(ask(self._port, fields))
            except (OSError, ValueError, http.client.HTTPException) as error:
                load.failures.append(f"{type(error).__name__}: {error}")
            index += 1
            if time.perf_counter() >= until:
                return
