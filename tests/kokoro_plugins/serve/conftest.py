"""A server on a free port of this machine, and a model whose sentences can be held back."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import httpx2
import uvicorn
from starlette.applications import Starlette

from kokoro_core import KokoroModel
from kokoro_core.speech import Reading, SpokenSentence
from kokoro_plugins.serve.app import Limits, speech_app

TINY = {
    "hidden_dim": 16,
    "encoder.num_layers": 1,
    "encoder.num_heads": 2,
    "encoder.ff_dim": 16,
    "decoder.num_layers": 1,
    "decoder.num_heads": 2,
    "decoder.ff_dim": 16,
    "vocoder.iterations": 1,
}


def to_the_end() -> KokoroModel:
    """Return a model that goes on to the end of its plan."""
    torch.manual_seed(0)
    model = KokoroModel.from_spec("small", overrides=TINY).eval()
    [stop_bias] = [p for name, p in model.named_parameters() if "stop" in name and p.dim() == 1]
    torch.nn.init.constant_(stop_bias, -100.0)
    return model


@pytest.fixture(scope="session")
def model() -> KokoroModel:
    """A model whose sentences are spoken in batches, as a decoder that replaces no rows has it."""
    model = to_the_end()
    model.acoustic.decoder.replaces_rows = False  # type: ignore[assignment]
    return model


@pytest.fixture(scope="session")
def relayed() -> KokoroModel:
    """A model whose sentences make place for others one by one."""
    return to_the_end()


@pytest.fixture(scope="session")
def two_voices() -> KokoroModel:
    """A model of two speakers that samples, and takes pitch."""
    torch.manual_seed(0)
    overrides = {
        "speakers": ["anna", "ben"],
        "conditioners": {"speaker": {"type": "lookup", "dim": 8, "add": True}},
        "vocoder.iterations": 1,
    }
    return KokoroModel.from_spec("fastspeech2-small", overrides=overrides).eval()


@dataclass
class Running:
    """A server.

    Attributes:
        app: What it serves.
        url: Where.
        port: The same.
    """

    app: Starlette
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def busy(self) -> int:
        busy: int = self.app.state.desk.busy
        return busy

    def post(self, body: Any = None, **more: Any) -> httpx2.Response:
        """Ask for speech, with fields that may be changed."""
        path = more.pop("path", "/v1/audio/speech")
        if "content" not in more:
            more["json"] = wanted() if body is None else body
        return httpx2.post(self.url + path, timeout=30, **more)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def assert_serves(self) -> None:
        answer = self.post(wanted(response_format="wav"))
        assert answer.status_code == 200, answer.text
        assert answer.content[:4] == b"RIFF"
        eventually(lambda: self.busy == 0)


def wanted(**fields: Any) -> dict[str, Any]:
    """Return the fields of a request."""
    return {"model": "tiny", "input": "It is here.", "voice": "default", **fields}


def raw_request(body: bytes, length: int | None = None, more: str = "") -> bytes:
    """Return the bytes of a request for speech."""
    return (
        f"POST /v1/audio/speech HTTP/1.1\r\nhost: localhost\r\n{more}"
        f"content-type: application/json\r\n"
        f"content-length: {len(body) if length is None else length}\r\n\r\n"
    ).encode() + body


def raw_body(**fields: Any) -> bytes:
    return json.dumps(wanted(**fields)).encode()


def eventually(is_so: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


@contextmanager
def running(app: Starlette) -> Iterator[Running]:
    """Serve an app on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        eventually(lambda: server.started)
        yield Running(app, listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def server(model: KokoroModel) -> Iterator[Running]:
    limits = Limits(characters=2000, requests=16, body_seconds=0.5)
    with running(speech_app({"tiny": model}, limits=limits)) as started:
        yield started


class Held:
    """The speech of a model that waits before each batch until it is let go.

    Attributes:
        batches: The texts of each batch that was begun.
    """

    def __init__(self, app: Starlette, name: str = "tiny") -> None:
        served = app.state.desk.models[name]
        self._inner = served.speech
        self.model = served.speech.model
        self.batches: list[list[str]] = []
        self._may_go = threading.Semaphore(0)
        self._is_free = False
        served.speech = self

    def read(self, text: str) -> list[Reading]:
        read: list[Reading] = self._inner.read(text)
        return read

    def speak(self, readings: Sequence[Reading], **options: Any) -> Iterator[SpokenSentence]:
        self.batches.append([each.text.strip() for each in readings])
        if not self._is_free:
            assert self._may_go.acquire(timeout=30)
        spoken: Iterator[SpokenSentence] = self._inner.speak(readings, **options)
        return spoken

    def let_go(self, batches: int = 1) -> None:
        """Let some batches be spoken."""
        self._may_go.release(batches)

    def free(self) -> None:
        """Hold nothing back any more."""
        self._is_free = True
        self._may_go.release(1000)
