"""Where requests for speech come in: they are counted, handed to the worker and answered."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextlib import closing as closed_after
from dataclasses import dataclass
from typing import TypeVar, final

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from kokoro_plugins.serve.answer import Events, Form, Lines, Sound, whole
from kokoro_plugins.serve.body import read_body
from kokoro_plugins.serve.job import Job, Made
from kokoro_plugins.serve.problems import ApiError, closing, too_many
from kokoro_plugins.serve.request import SpeechRequest, parse_request
from kokoro_plugins.serve.served import ServedModel
from kokoro_plugins.serve.worker import Worker
from registry.text import suggestion

T = TypeVar("T")

BYTES_PER_CHARACTER = 12
"""The most that a character takes in JSON, escaped as two surrogates."""

OTHER_BYTES = 16_384
"""Room for the other fields of a request."""


@dataclass(frozen=True)
class Limits:
    """What one client cannot take from the others.

    Attributes:
        characters: Most characters of a text.
        requests: Most requests at once, those being spoken included.
        batch: Most sentences that are spoken at once; None: as many as pay for each model.
        body_seconds: The time in which a body must arrive.
        send_seconds: The time in which a client must take a piece that is sent.
    """

    characters: int = 4096
    requests: int = 64
    batch: int | None = None
    body_seconds: float = 30.0
    send_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                raise ValueError(f"`{name}` must be above 0, not {value}.")

    @property
    def body_bytes(self) -> int:
        """Most bytes of a body, in which the longest text fits however it is written."""
        return BYTES_PER_CHARACTER * self.characters + OTHER_BYTES


@final
class Desk:
    """Takes requests for speech and answers them.

    Args:
        models: By the name that requests have for them.
        limits: What is taken.

    Attributes:
        busy: How many requests are waiting or being answered.
        is_closing: Whether new ones are refused.
    """

    def __init__(self, models: Mapping[str, ServedModel], limits: Limits) -> None:
        self.models = models
        self.limits = limits
        self.busy = 0
        self.is_closing = False
        self._worker = Worker(limits.batch)

    def close(self) -> None:
        """Refuse what comes, and end the thread when it has spoken its batch."""
        self.is_closing = True
        self._worker.close()

    async def speech(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with sound, as `POST /v1/audio/speech`."""
        await self._answered(scope, receive, send, _sound)

    async def sentences(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a line of JSON a sentence, as `POST /v1/audio/speech/sentences`."""
        await self._answered(scope, receive, send, lambda request, served, whole: Lines())

    async def _answered(self, scope: Scope, receive: Receive, send: Send, form: _Choice) -> None:
        request = Request(scope, receive)
        begun = _Begun(send, self.limits.send_seconds)
        try:
            wanted = await self._wanted(request)
            with self._counted():
                await self._speak(wanted, receive, begun, form)
        except ClientDisconnect:
            return
        except ApiError as error:
            if not begun.has_begun:
                await error.response()(scope, receive, send)

    async def _wanted(self, request: Request) -> SpeechRequest:
        """Return what a request asks for.

        Raises:
            ApiError: It is refused.
        """
        if self.is_closing:
            raise closing()
        limits = self.limits
        body = await read_body(request, limits.body_bytes, limits.body_seconds)
        return parse_request(body, limits.characters)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a request while it is answered.

        Raises:
            ApiError: There is no room for it.
        """
        if self.is_closing:
            raise closing()
        if self.busy >= self.limits.requests:
            raise too_many(self.limits.requests)
        self.busy += 1
        try:
            yield
        finally:
            self.busy -= 1

    async def _speak(
        self, wanted: SpeechRequest, receive: Receive, begun: _Begun, choose: _Choice
    ) -> None:
        """Speak a text and send it; ends early if the client leaves."""
        served = self._model(wanted.model)
        options = served.options(wanted)
        seed = secrets.randbits(62) if wanted.seed is None else wanted.seed
        job = Job(served, wanted.input, options, seed)
        async with _watched(receive) as watch:
            try:
                self._worker.submit(job)
                first = await _before(watch, job.next())
                at_once = not wanted.stream or first.is_last
                made = _sentences(first, job, watch)
                with closed_after(choose(wanted, served, at_once)) as form:
                    if at_once:
                        await _send_whole(form, made, begun)
                    else:
                        await _send_stream(form, made, begun)
            finally:
                job.cancel()

    def _model(self, name: str) -> ServedModel:
        if name not in self.models:
            hint = suggestion(name, self.models) or f"; there are {', '.join(self.models)}."
            message = f"`{name[:80]}` is not a model of this server{hint}"
            raise ApiError(404, message, "model_not_found", "model")
        return self.models[name]


_Choice = Callable[[SpeechRequest, ServedModel, bool], Form]
"""Returns the form of the answer to a request, all at once or not."""


def _sound(request: SpeechRequest, served: ServedModel, at_once: bool) -> Form:
    as_events = request.stream_format == "sse"
    sound = Sound(request.response_format, served.sample_rate, whole=at_once and not as_events)
    return Events(sound) if as_events else sound


@final
class _Begun:
    """Sends messages, and knows whether the head of the answer has left."""

    def __init__(self, send: Send, seconds: float) -> None:
        self._send = send
        self._seconds = seconds
        self.has_begun = False

    async def head(self, form: Form, **more: str) -> None:
        """Send status and headers."""
        headers = {"content-type": form.media_type, **form.headers, **more}
        self.has_begun = True
        await self._sent(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )

    async def piece(self, data: bytes, *, more: bool) -> None:
        """Send a piece of the body."""
        await self._sent({"type": "http.response.body", "body": data, "more_body": more})

    async def _sent(self, message: dict[str, object]) -> None:
        """Send a message.

        Raises:
            ClientDisconnect: The client has left, or does not take what it asked for.
        """
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(message)
        except (TimeoutError, OSError):
            raise ClientDisconnect from None


async def _send_whole(form: Form, sentences: AsyncIterator[Made], begun: _Begun) -> None:
    body, said = await whole(form, sentences)
    problems = {"x-kokoro-problems": json.dumps(said)} if said else {}
    await begun.head(form, **{"content-length": str(len(body)), **problems})
    await begun.piece(body, more=False)


async def _send_stream(form: Form, sentences: AsyncIterator[Made], begun: _Begun) -> None:
    """Send each sentence as it comes.

    Where the answer has no way to say that one failed, its end is not sent and the server cuts the
    connection, which clients report.
    """
    await begun.head(form)
    try:
        async for made in sentences:
            await begun.piece(await form.sentence(made), more=not made.is_last)
    except ApiError as error:
        said = form.failure(error)
        if said is not None:
            await begun.piece(said, more=False)
        _LOG.warning("A stream ends early: %s", error.message)


async def _sentences(first: Made, job: Job, watch: asyncio.Task[None]) -> AsyncIterator[Made]:
    """Yield the sentences of a job.

    Raises:
        ApiError: One could not be spoken.
        ClientDisconnect: The client has left.
    """
    made = first
    yield made
    while not made.is_last:
        made = await _before(watch, job.next())
        yield made


@asynccontextmanager
async def _watched(receive: Receive) -> AsyncIterator[asyncio.Task[None]]:
    """Yield a task that ends when the client leaves."""
    watch = asyncio.create_task(_gone(receive))
    try:
        yield watch
    finally:
        watch.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _before(watch: asyncio.Task[None], wanted: Awaitable[T]) -> T:
    """Return what is wanted.

    Raises:
        ClientDisconnect: The client has left before.
    """
    task = asyncio.ensure_future(wanted)
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()


_LOG = logging.getLogger("kokoro_plugins.serve")
