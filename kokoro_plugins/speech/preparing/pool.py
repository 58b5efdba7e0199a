"""Many utterances, prepared by several processes."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import torch

from kokoro_core.errors import CorpusError
from kokoro_plugins.speech.preparing.prepared import Outcome
from kokoro_plugins.speech.preparing.source import Source
from kokoro_plugins.speech.preparing.work import Order, Workshop

CHUNK = 8
"""Utterances that a process takes at once."""

_WORKSHOPS: list[Workshop] = []
"""Of a worker process: its own, and nothing else."""


def prepare_all(order: Order, sources: Sequence[Source], workers: int) -> Iterator[Outcome]:
    """Yield what becomes of each source, in their order.

    Args:
        order: What is made of each.
        sources: What is prepared.
        workers: Processes, of which as many start as there is work for; 0: this one.

    Raises:
        CorpusError: A process ended before its work.
    """
    workers = min(workers, len(sources) // CHUNK)
    if not workers:
        workshop = Workshop(order)
        yield from (workshop.prepare(each) for each in sources)
        return
    context = multiprocessing.get_context("spawn")  # a fork may inherit locks of torch's threads
    pool = ProcessPoolExecutor(workers, context, initializer=_start, initargs=(order,))
    try:
        yield from pool.map(_prepare, sources, chunksize=CHUNK)
    except BrokenProcessPool as error:
        raise CorpusError(
            "A process that prepares ended before its work, for want of memory perhaps; the same "
            "command goes on where it stopped, and fewer `--workers` need less."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start(order: Order) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops
    torch.set_num_threads(1)
    _WORKSHOPS.append(Workshop(order))


def _prepare(source: Source) -> Outcome:
    return _WORKSHOPS[0].prepare(source)
