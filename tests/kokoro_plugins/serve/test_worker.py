"""Who is spoken for when, and with whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.speaking.sound_files import as_16_bit
from kokoro_core.speech import speak
from kokoro_plugins.serve.app import Limits, speech_app
from kokoro_plugins.serve.encoding import encoded
from kokoro_plugins.serve.job import AHEAD, Job
from kokoro_plugins.serve.problems import ApiError
from kokoro_plugins.serve.request import SpeechRequest
from kokoro_plugins.serve.served import ServedModel
from kokoro_plugins.serve.worker import Worker
from tests.kokoro_plugins.serve.conftest import Held, Running, eventually, running, wanted


def asked(started: Running, requests: list[dict[str, Any]]) -> list[bytes]:
    """Ask for all at once, in order, and return what is answered."""
    answers: list[bytes] = [b""] * len(requests)

    def ask(index: int) -> None:
        answers[index] = started.post(wanted(response_format="wav", **requests[index])).content

    threads = [threading.Thread(target=ask, args=(each,)) for each in range(len(requests))]
    for count, thread in enumerate(threads, start=1):
        thread.start()
        eventually(lambda count=count: started.busy == count)  # type: ignore[misc]
    return_when_free(started)
    for thread in threads:
        thread.join()
    return answers


def return_when_free(started: Running) -> None:
    started.app.state.desk.models["tiny"].speech.free()


def test_texts_that_wait_are_spoken_in_one_batch_as_each_is_alone(model: KokoroModel) -> None:
    app = speech_app({"tiny": model})
    held = Held(app)
    texts = ["First.", "It is here.", "Why would you wait?", "Here it is!"]
    with running(app) as started:
        heard = asked(started, [{"input": text} for text in texts])
    assert held.batches == [["First."], texts[1:]]
    for text, data in zip(texts, heard, strict=True):
        alone = speak(model, text)
        expected = encoded("wav", [alone.samples], alone.sample_rate)
        near = torch.tensor(list(data[44:])), torch.tensor(list(expected[44:]))
        assert data[:44] == expected[:44]
        assert (near[0] - near[1]).abs().float().mean() < 0.01


def test_each_row_has_the_voice_and_the_seed_of_its_request(two_voices: KokoroModel) -> None:
    app = speech_app({"tiny": two_voices}, limits=Limits(batch=8))
    held = Held(app)
    requests: list[dict[str, Any]] = [
        {"voice": voice, "seed": seed, "input": "It is here."}
        for voice, seed in (("anna", 1), ("ben", 2), ("anna", 3))
    ]
    with running(app) as started:
        heard = asked(started, requests)
    assert list(map(len, held.batches)) == [1, 2]
    for request, data in zip(requests, heard, strict=True):
        alone = speak(two_voices, "It is here.", speaker=request["voice"], seed=request["seed"])
        assert len(data) == 44 + 2 * len(alone.samples)
        samples = torch.frombuffer(bytearray(data[44:]), dtype=torch.int16)
        expected = torch.frombuffer(bytearray(as_16_bit(alone.samples)), dtype=torch.int16)
        assert (samples.int() - expected.int()).abs().max() <= 1


def test_only_texts_that_are_spoken_alike_share_a_batch(model: KokoroModel) -> None:
    app = speech_app({"tiny": model}, limits=Limits(batch=2))
    held = Held(app)
    requests: list[dict[str, Any]] = [
        {"input": "One."},
        {"input": "Two.", "speed": 2.0},
        {"input": "Three."},
        {"input": "Four.", "speed": 2.0},
        {"input": "Five.", "speed": 2.0},
        {"input": "Six.", "max_mel_len": 20},
    ]
    with running(app) as started:
        asked(started, requests)
    assert held.batches == [["One."], ["Two.", "Four."], ["Three."], ["Five."], ["Six."]]


async def job_of(served: ServedModel, text: str, **fields: Any) -> Job:
    request = SpeechRequest.model_validate(wanted(input=text, **fields))
    return Job(served, text, served.options(request), 0)


def in_loop(test: Callable[[ServedModel, Worker], Coroutine[Any, Any, None]]) -> Any:
    """Run a test in a loop with a model and a worker."""

    def run(model: KokoroModel) -> None:
        worker = Worker(4)
        try:
            asyncio.run(test(ServedModel("tiny", model), worker))
        finally:
            worker.close()

    run.__name__ = test.__name__
    return run


@in_loop
async def test_what_is_wanted_soonest_comes_first_and_room_goes_to_texts_that_are_heard(
    served: ServedModel, worker: Worker
) -> None:
    long = await job_of(served, "Ask? Be? Can? Did? End? Far?")
    new = await job_of(served, "Xeno? Yes? Zoo?")
    for job in (long, new):
        job.readings = served.speech.read(job.text)

    def texts(jobs: list[Job]) -> str:
        return "".join(each.text[0] for _, each in worker._chosen(jobs))

    assert texts([long]) == "A"  # more at once would make it wait
    assert long.readings is not None
    long.give(next(served.speech.speak(long.readings[:1])))
    assert new.due < long.due  # who hears already has time
    assert texts([long, new]) == "XBCD"
    assert texts([long, new]) == "YEF"


@in_loop
async def test_a_batch_holds_what_is_about_as_long_as_what_is_wanted_soonest(
    served: ServedModel, worker: Worker
) -> None:
    texts = ["Where is it?", "Yes!", "Here it is.", "Nobody knows how long all of us had to wait."]
    jobs = [await job_of(served, text) for text in texts]
    for job in jobs:
        job.readings = served.speech.read(job.text)
    assert [each.text for _, each in worker._chosen(jobs)] == texts[:3]
    jobs = [await job_of(served, text) for text in reversed(texts)]
    for job in jobs:
        job.readings = served.speech.read(job.text)
    assert [each.text for _, each in worker._chosen(jobs)] == texts[3:]


def test_as_many_sentences_share_a_batch_as_pay(
    model: KokoroModel, two_voices: KokoroModel
) -> None:
    assert ServedModel("frame by frame", model).batch == 8
    assert ServedModel("all frames at once", two_voices).batch == 1


@in_loop
async def test_no_more_is_made_than_so_far_ahead_of_a_client(
    served: ServedModel, worker: Worker
) -> None:
    job = await job_of(served, "Yes. " * 30)
    worker.submit(job)
    first = await job.next()
    assert (first.index, first.count, first.is_last) == (0, 30, False)
    await asyncio.to_thread(eventually, lambda: not job.has_room)
    assert job.planned == AHEAD + 1
    rest = [await job.next() for _ in range(29)]
    assert [each.index for each in rest] == list(range(1, 30))
    assert rest[-1].is_last
    assert job.is_over


@in_loop
async def test_a_worker_that_is_closed_tells_those_who_wait(
    served: ServedModel, worker: Worker
) -> None:
    may_go, begun = threading.Event(), threading.Event()
    inner = served.speech

    class Slow:
        read = inner.read

        def speak(self, readings: Any, **options: Any) -> Any:
            begun.set()
            may_go.wait(20)
            return inner.speak(readings, **options)

    served.speech = Slow()  # type: ignore[assignment]
    job = await job_of(served, "One. Two.")
    worker.submit(job)
    await asyncio.to_thread(begun.wait, 20)
    closer = threading.Thread(target=worker.close)
    closer.start()
    await asyncio.to_thread(eventually, lambda: worker._ends)
    may_go.set()
    assert (await job.next()).index == 0
    with pytest.raises(ApiError, match="The server is being stopped: it ends what it speaks"):
        await job.next()
    await asyncio.to_thread(closer.join)
    with pytest.raises(ApiError, match="The server is being stopped"):
        worker.submit(await job_of(served, "Three."))
