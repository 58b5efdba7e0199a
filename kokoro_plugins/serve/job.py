"""A text on its way: what the thread with the models and the loop of the server share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from kokoro_core.speech import Reading, SpokenSentence
from kokoro_plugins.serve.problems import ApiError
from kokoro_plugins.serve.served import Options, ServedModel

AHEAD = 8
"""Most sentences that are made before their client has taken those before them."""


@dataclass(frozen=True)
class Made:
    """A sentence that was spoken.

    Attributes:
        sentence: What was spoken.
        index: Which one of the text, from 0.
        count: How many there are.
    """

    sentence: SpokenSentence
    index: int
    count: int

    @property
    def is_last(self) -> bool:
        """Whether the text ends with it."""
        return self.index + 1 == self.count


@final
class Job:
    """A text that is to be spoken, sentence by sentence.

    It is made and read by the server's loop, and filled by the thread that owns the models.

    Args:
        served: The model.
        text: What is to be spoken.
        options: How.
        seed: For parts that sample.

    Attributes:
        readings: The sentences, once they are read.
        planned: How many of them are spoken or being spoken.
        due: When its next sentence is wanted, in seconds of ``time.monotonic``.
        is_cancelled: Whether nothing more of it is wanted.
    """

    def __init__(self, served: ServedModel, text: str, options: Options, seed: int) -> None:
        self.served = served
        self.text = text
        self.options = options
        self.seed = seed
        self.readings: list[Reading] | None = None
        self.planned = 0
        self.due = time.monotonic()
        self.is_cancelled = False
        self._given = 0
        self._taken = 0
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Made | ApiError] = asyncio.Queue()
        self._on_taken: Callable[[], None] = lambda: None

    async def next(self) -> Made:
        """Return the next sentence when it is there.

        Raises:
            ApiError: The text cannot be read, or the sentence not be spoken.
        """
        made = await self._queue.get()
        if isinstance(made, ApiError):
            raise made
        self._taken += 1
        self._on_taken()
        return made

    def cancel(self) -> None:
        """Let nothing more be spoken."""
        self.is_cancelled = True
        self._on_taken()

    def when_taken(self, call: Callable[[], None]) -> None:
        """Let a function be called whenever more of it may be spoken."""
        self._on_taken = call

    @property
    def upcoming(self) -> Reading:
        """The next sentence to speak."""
        assert self.readings is not None
        return self.readings[self.planned]

    def take(self) -> tuple[Job, Reading]:
        """Return the next sentence with its job; from now on it counts as spoken."""
        reading = self.upcoming
        self.planned += 1
        return self, reading

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to speak."""
        read = self.readings is not None and self.planned >= len(self.readings)
        return self.is_cancelled or read

    @property
    def has_room(self) -> bool:
        """Whether its client takes what is made."""
        return self.planned - self._taken < AHEAD

    @property
    def given(self) -> int:
        """How many of its sentences were handed to the server."""
        return self._given

    @property
    def has_begun(self) -> bool:
        """Whether its first sentence has been made."""
        return self._given > 0

    def give(self, sentence: SpokenSentence) -> None:
        """Hand the next sentence to the server; called by the thread of the models."""
        assert self.readings is not None
        self.due += sentence.audio_seconds + sentence.pause
        self._put(Made(sentence, self._given, len(self.readings)))
        self._given += 1

    def fail(self, error: ApiError) -> None:
        """Hand an error to the server, and speak no more; called by the thread of the models."""
        self.is_cancelled = True
        self._put(error)

    def _put(self, made: Made | ApiError) -> None:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, made)
        except RuntimeError:  # the loop has ended, and with it who waits
            self.is_cancelled = True
