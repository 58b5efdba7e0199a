"""Sentences that begin while others are spoken, each in the place of one that has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final

from kokoro_core.speech import Reading, SpokenSentence
from kokoro_plugins.serve.job import Job

Next = Callable[[Sequence[Job]], Job | None]
"""Returns whose next sentence begins, given the jobs of which one is being spoken."""

Taken = tuple[Job, int, Reading]


@final
class Relay:
    """Speaks sentences of many jobs with one model, as long as there are some.

    Args:
        first: The job whose sentence begins.
        after: Says whose sentence begins when there is place.
        places: Most sentences that are spoken at the same time.
    """

    def __init__(self, first: Job, after: Next, places: int) -> None:
        self._first = first
        self._after = after
        self._places = places
        self._count = 0
        self._taken: dict[int, Taken] = {}
        self._waiting: dict[int, SpokenSentence] = {}

    def run(self) -> None:
        """Speak until nothing is left, or something else is wanted sooner.

        Raises:
            Exception: A sentence cannot be spoken; `rest` has those that are left.
        """
        speech = self._first.served.speech
        spoken = speech.speak_many(self._sentences(), rows=self._places, wanted=self._is_wanted)
        for index, sentence in spoken:
            if index in self._taken:  # its client may have left meanwhile
                self._waiting[index] = sentence
                self._give(self._taken[index][0])

    def rest(self) -> Iterator[tuple[Job, Reading]]:
        """Hand over what is spoken, and yield what is not, in the order of each text."""
        for index, (job, _, reading) in list(self._taken.items()):
            if index in self._waiting:
                self._hand_over(index)
            elif not job.is_cancelled:
                yield job, reading

    def _is_wanted(self, index: int) -> bool:
        return index in self._taken and not self._taken[index][0].is_cancelled

    def _sentences(self) -> Iterator[tuple[Reading, Mapping[str, Any]] | None]:
        """Yield the sentences that begin, and None where none waits."""
        job: Job | None = self._first
        while True:
            if job is None:
                yield None
            else:
                number = job.planned
                _, reading = job.take()
                self._taken[self._count] = job, number, reading
                self._count += 1
                yield reading, {**job.options.shared, **job.options.rows, "seed": job.seed}
            job = self._after(self._under_way())

    def _under_way(self) -> list[Job]:
        """Return the jobs of which a sentence is being spoken, and forget those that are left."""
        for index, (job, _, _) in list(self._taken.items()):
            if job.is_cancelled:
                del self._taken[index]
                self._waiting.pop(index, None)
        return [job for job, _, _ in self._taken.values()]

    def _give(self, job: Job) -> None:
        """Hand over what is spoken of a job, as far as nothing before it is missing."""
        for index, (other, number, _) in list(self._taken.items()):
            if other is job and index in self._waiting and number == job.given:
                self._hand_over(index)

    def _hand_over(self, index: int) -> None:
        job, _, _ = self._taken.pop(index)
        job.give(self._waiting.pop(index))
