"""The one thread that owns the models: it reads texts and speaks sentences of many in a batch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, final

import torch

from kokoro_core.speech import Reading, SpokenSentence
from kokoro_plugins.serve.job import Job
from kokoro_plugins.serve.problems import cannot_be_spoken, closing, failed_to_speak
from kokoro_plugins.serve.relay import Relay

SLACK = 8
"""Phonemes by which sentences of a batch may differ beyond half: short ones cost little."""

_LOG = logging.getLogger("kokoro_plugins.serve")


@final
class Worker:
    """Speaks the sentences of all jobs, those that are wanted soonest first.

    The thread begins with the first job.

    Args:
        max_batch: Most sentences that are spoken at once; None: as many as pay for each model.
    """

    def __init__(self, max_batch: int | None) -> None:
        self._max_batch = max_batch
        self._jobs: list[Job] = []
        self._changed = threading.Condition()
        self._ends = False
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Let a job be spoken.

        Raises:
            ApiError: The worker was closed.
        """
        job.when_taken(self._wake)
        with self._changed:
            if self._ends:
                raise closing()
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="speech", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """End the thread after the batch that it speaks."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while (batch := self._wait()) is not None:
            for job in batch:
                if job.readings is None:
                    _read(job)
            jobs = [each for each in batch if not each.is_over]
            if jobs and not self._ends:
                self._speak(jobs)
        for job in self._jobs:
            job.fail(closing())

    def _speak(self, jobs: Sequence[Job]) -> None:
        """Speak what is wanted soonest, and with it what fits."""
        first = min(jobs, key=lambda job: job.due)
        if not first.served.makes_place:
            _speak_batch(self._chosen(jobs))
            return
        places = self._max_batch or first.served.batch
        relay = Relay(first, partial(self._next, first), places)
        try:
            relay.run()
        except Exception:  # one sentence is at fault: alone it fails by itself
            _LOG.warning("sentences spoken together failed; each goes alone", exc_info=True)
            for each in relay.rest():
                _speak_batch([each])

    def _next(self, first: Job, under_way: Sequence[Job]) -> Job | None:
        """Return whose sentence begins beside those of `first`; None: none now.

        More than one sentence of a new text would make its client wait. What is wanted sooner and
        cannot be spoken beside them lets them run out.
        """
        for job in sorted(self._ready(), key=lambda job: job.due):
            if (job.served.name, job.options.of_steps) != (
                first.served.name,
                first.options.of_steps,
            ):
                return None
            if job.has_begun or job not in under_way:
                return job
        return None

    def _ready(self) -> list[Job]:
        """Return the jobs of which a sentence may begin, read; none when it ends."""
        with self._changed:
            self._jobs = [each for each in self._jobs if not each.is_over]
            jobs = [] if self._ends else [each for each in self._jobs if each.has_room]
        for job in jobs:
            if job.readings is None:
                _read(job)
        return [each for each in jobs if not each.is_over]

    def _wait(self) -> list[Job] | None:
        """Return all jobs of which something may be spoken, when there are any; None: the end."""
        with self._changed:
            while not self._ends:
                self._jobs = [each for each in self._jobs if not each.is_over]
                open_jobs = [each for each in self._jobs if each.has_room]
                if open_jobs:
                    return open_jobs
                self._changed.wait()
        return None

    def _chosen(self, jobs: Sequence[Job]) -> list[tuple[Job, Reading]]:
        """Return the sentences of the next batch.

        The next sentence of each job comes first, the one that is wanted soonest decides what
        goes with it: what is spoken alike and is about as long, since a batch takes as long as its
        longest row. What room is left goes to texts that are heard already: more than one sentence
        of a new text would make its client wait.
        """
        jobs = sorted(jobs, key=lambda job: job.due)
        first = jobs[0]
        most = self._max_batch or first.served.batch
        fits = _Fit(first)
        batch = [first.take()]
        for job in jobs[1:]:
            if len(batch) < most and fits(job):
                batch.append(job.take())
        for job in jobs:
            while len(batch) < most and job.has_begun and _goes_on(job) and fits(job):
                batch.append(job.take())
        return batch


@final
class _Fit:
    """Which sentences go with the first one of a batch.

    Args:
        first: The job of that one.
    """

    def __init__(self, first: Job) -> None:
        self._key = first.served.name, first.options.key
        self._phonemes = len(first.upcoming.indices)

    def __call__(self, job: Job) -> bool:
        """Return whether the next sentence of a job does."""
        if (job.served.name, job.options.key) != self._key:
            return False
        shorter, longer = sorted((self._phonemes, len(job.upcoming.indices)))
        return longer <= 2 * shorter + SLACK


def _goes_on(job: Job) -> bool:
    return not job.is_over and job.has_room


def _read(job: Job) -> None:
    try:
        job.readings = job.served.speech.read(job.text)
    except ValueError as error:
        job.fail(cannot_be_spoken(error))
    except Exception as error:
        _fail(job, error)


def _speak_batch(batch: Sequence[tuple[Job, Reading]]) -> None:
    """Speak sentences at once; if that fails, each alone, so that only the one at fault fails."""
    given = 0
    try:
        for sentence in _spoken(batch):
            batch[given][0].give(sentence)
            given += 1
    except Exception as error:
        if len(batch) == 1:
            _fail(batch[0][0], error)
            return
        for each in batch[given:]:
            if not each[0].is_cancelled:
                _speak_batch([each])


def _spoken(batch: Sequence[tuple[Job, Reading]]) -> Iterator[SpokenSentence]:
    first, jobs = batch[0][0], [job for job, _ in batch]
    rows = {name: _joined([job.options.rows[name] for job in jobs]) for name in first.options.rows}
    return first.served.speech.speak(
        [reading for _, reading in batch],
        seed=[job.seed for job in jobs],
        **first.options.shared,
        **rows,
    )


def _joined(values: Sequence[Any]) -> Any:
    """Return a feature of several rows: a list of names, or one tensor."""
    return torch.cat(list(values)) if isinstance(values[0], torch.Tensor) else list(values)


def _fail(job: Job, error: Exception) -> None:
    """Let a job fail by what is no fault of its text."""
    _LOG.error("A text could not be spoken by `%s`.", job.served.name, exc_info=error)
    job.fail(failed_to_speak(error))
