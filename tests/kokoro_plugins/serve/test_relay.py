"""Sentences that begin while others are spoken."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import torch

from kokoro_core import KokoroModel
from kokoro_core.speech import speak
from kokoro_plugins.serve.app import speech_app
from kokoro_plugins.serve.encoding import encoded
from kokoro_plugins.serve.job import Job, Made
from kokoro_plugins.serve.problems import ApiError
from kokoro_plugins.serve.relay import Relay
from kokoro_plugins.serve.request import SpeechRequest
from kokoro_plugins.serve.served import ServedModel
from kokoro_plugins.serve.worker import Worker
from tests.kokoro_plugins.serve.conftest import eventually, running, wanted


class Paced:
    """Lets a decoder make its steps only as far as it is told, and counts their rows."""

    def __init__(self, decoder: Any) -> None:
        self.rows: list[int] = []
        self.before: Callable[[int], None] = lambda step: None
        self._step = type(decoder).step
        self._decoder = decoder
        decoder.step = self

    def __call__(self, frames: Any, state: Any) -> Any:
        self.rows.append(len(frames))
        self.before(len(self.rows) - 1)
        return self._step(self._decoder, frames, state)


@pytest.fixture
def paced(relayed: KokoroModel) -> Iterator[Paced]:
    decoder = relayed.acoustic.decoder
    yield Paced(decoder)
    del vars(decoder)["step"]


async def job_of(served: ServedModel, text: str, **fields: Any) -> Job:
    request = SpeechRequest.model_validate(wanted(input=text, **fields))
    return Job(served, text, served.options(request), fields.get("seed", 0))


def spoken_by(
    model: KokoroModel, test: Callable[[ServedModel, Worker], Coroutine[Any, Any, None]]
) -> None:
    worker = Worker(4)
    try:
        asyncio.run(test(ServedModel("tiny", model), worker))
    finally:
        worker.close()


async def all_of(job: Job) -> list[Made]:
    made = [await job.next()]
    while not made[-1].is_last:
        made.append(await job.next())
    return made


def assert_as_alone(model: KokoroModel, made: Made, **options: Any) -> None:
    alone = speak(model, made.sentence.text, **options)
    expected = alone.samples
    assert made.sentence.frames == alone.sentences[0].frames
    torch.testing.assert_close(made.sentence.samples, expected, atol=0.02, rtol=0)


def test_texts_at_the_same_time_are_heard_as_each_is_alone(relayed: KokoroModel) -> None:
    texts = ["First.", "It is here.", "Why would you wait?", "Here it is! And there."]
    answers: dict[str, bytes] = {}
    with running(speech_app({"tiny": relayed})) as started:

        def ask(text: str) -> None:
            body = wanted(input=text, response_format="wav")
            answers[text] = started.post(body).content

        threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for text in texts[:3]:
        alone = speak(relayed, text)
        expected = encoded("wav", [alone.samples], alone.sample_rate)
        assert answers[text][:44] == expected[:44]
    assert answers[texts[3]][:4] == b"RIFF"


def test_a_text_that_comes_later_joins_what_is_spoken(relayed: KokoroModel, paced: Paced) -> None:
    async def test(served: ServedModel, worker: Worker) -> None:
        long, short = (
            await job_of(served, "Where is it, and who has it?"),
            await job_of(served, "Yes!"),
        )

        def join(step: int) -> None:
            if step == 4:
                worker.submit(short)

        paced.before = join
        worker.submit(long)
        assert_as_alone(relayed, await short.next())
        assert_as_alone(relayed, await long.next())

    spoken_by(relayed, test)
    assert paced.rows[:5] == [1] * 5
    assert paced.rows[5] == 2


def test_sentences_come_in_the_order_of_their_text(relayed: KokoroModel) -> None:
    text = "Yes. Nobody knows how long all of us had to wait. No. Who? It is. Why?"

    async def test(served: ServedModel, worker: Worker) -> None:
        job = await job_of(served, text)
        worker.submit(job)
        made = await all_of(job)
        assert [each.index for each in made] == list(range(6))
        assert " ".join(each.sentence.text for each in made) == text

    spoken_by(relayed, test)


def test_requests_with_other_speeds_share_steps(relayed: KokoroModel, paced: Paced) -> None:
    async def test(served: ServedModel, worker: Worker) -> None:
        slow, fast = await job_of(served, "Is it here?"), await job_of(served, "It is.", speed=2.0)

        def join(step: int) -> None:
            if step == 0:
                worker.submit(fast)

        paced.before = join
        worker.submit(slow)
        assert_as_alone(relayed, await fast.next(), speed=2.0)
        assert_as_alone(relayed, await slow.next())

    spoken_by(relayed, test)
    assert max(paced.rows) == 2


def test_a_client_that_leaves_frees_its_place_at_the_next_step(
    relayed: KokoroModel, paced: Paced
) -> None:
    async def test(served: ServedModel, worker: Worker) -> None:
        leaving, other = await job_of(served, "Where is it, and who?"), await job_of(served, "Yes!")

        def leave(step: int) -> None:
            if step == 1:
                worker.submit(other)
            if step == 3:
                leaving.cancel()

        paced.before = leave
        worker.submit(leaving)
        assert_as_alone(relayed, await other.next())

    spoken_by(relayed, test)
    assert paced.rows[:4] == [1, 1, 2, 2]
    assert set(paced.rows[4:]) == {1}


def test_a_fault_in_a_step_lets_each_sentence_be_spoken_alone_and_is_logged(
    relayed: KokoroModel, paced: Paced, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(served: ServedModel, worker: Worker) -> None:
        jobs = [await job_of(served, text) for text in ("It is here.", "Is it? Who?")]

        def fail(step: int) -> None:
            if step == 0:
                worker.submit(jobs[1])
            if step == 4:
                raise RuntimeError("a fault that comes once")

        paced.before = fail
        worker.submit(jobs[0])
        assert_as_alone(relayed, await jobs[0].next())
        assert [each.sentence.text for each in await all_of(jobs[1])] == ["Is it?", "Who?"]

    spoken_by(relayed, test)
    assert "each goes alone" in caplog.text
    assert "a fault that comes once" in caplog.text


def test_a_sentence_at_fault_fails_alone(relayed: KokoroModel, paced: Paced) -> None:
    async def test(served: ServedModel, worker: Worker) -> None:
        good, bad = await job_of(served, "It is here."), await job_of(served, "Yes!")
        inner = served.speech.speak_many

        def broken(sentences: Any, **options: Any) -> Any:
            for at, each in enumerate(inner(sentences, **options)):
                assert at == 0
                raise RuntimeError(f"{each[0]} cannot be heard")
            return iter(())

        speak_alone = served.speech.speak

        def alone(readings: Any, **options: Any) -> Any:
            if readings[0].text.startswith("Yes"):
                raise RuntimeError("it is at fault")
            return speak_alone(readings, **options)

        served.speech.speak_many = broken  # type: ignore[method-assign]
        served.speech.speak = alone  # type: ignore[method-assign]
        paced.before = lambda step: worker.submit(bad) if step == 0 else None
        worker.submit(good)
        assert (await good.next()).is_last
        with pytest.raises(ApiError, match="failed to speak the text"):
            await bad.next()

    spoken_by(relayed, test)


def test_what_is_wanted_sooner_and_fits_not_lets_the_others_run_out(
    relayed: KokoroModel, paced: Paced
) -> None:
    async def test(served: ServedModel, worker: Worker) -> None:
        other = ServedModel("other", relayed)
        first, next_one = await job_of(served, "It is here."), await job_of(served, "Yes. No. Yes.")
        between = Job(other, "Who?", other.options(SpeechRequest.model_validate(wanted())), 0)
        order: list[str] = []

        def come(step: int) -> None:
            if step == 0:
                worker.submit(between)
                next_one.due = between.due + 1
                worker.submit(next_one)

        async def note(name: str, job: Job) -> None:
            await job.next()
            order.append(name)

        paced.before = come
        worker.submit(first)
        await asyncio.gather(note("first", first), note("between", between), note("next", next_one))
        assert order == ["first", "between", "next"]

    spoken_by(relayed, test)


def test_a_worker_that_is_closed_ends_what_it_speaks(relayed: KokoroModel, paced: Paced) -> None:
    async def test(served: ServedModel, worker: Worker) -> None:
        job = await job_of(served, "One. Two.")
        closer = threading.Thread(target=worker.close)

        def close(step: int) -> None:
            if step == 1:
                closer.start()
                eventually(lambda: worker._ends)

        paced.before = close
        worker.submit(job)
        assert (await job.next()).index == 0
        with pytest.raises(ApiError, match="The server is being stopped"):
            await job.next()
        await asyncio.to_thread(closer.join)

    spoken_by(relayed, test)


def test_nothing_is_kept_of_what_was_spoken_or_left(relayed: KokoroModel) -> None:
    async def test(served: ServedModel, worker: Worker) -> None:
        first, leaving = await job_of(served, "Yes. No."), await job_of(served, "Why? Who?")
        for job in (first, leaving):
            job.readings = served.speech.read(job.text)
        coming: list[Job | None] = [leaving, None, first]

        def after(under_way: Any) -> Job | None:
            leaving.is_cancelled = len(coming) < 2
            return coming.pop(0) if coming else None

        relay = Relay(first, after, 3)
        relay.run()
        assert (relay._taken, relay._waiting) == ({}, {})
        assert (first.given, leaving.given) == (2, 0)

    spoken_by(relayed, test)
