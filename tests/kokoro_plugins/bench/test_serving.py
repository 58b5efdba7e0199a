"""The load test: what its clients count, and the case at a size for CI."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kokoro_plugins.bench.cases.serving import ALONE, BATCHES, CHOSEN, measure, measure_voice
from kokoro_plugins.bench.load import Answer, Clients, Load, ask
from kokoro_plugins.bench.sizes import Scale, Serving

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


@contextmanager
def answering(status: int, *chunks: bytes) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Run a server that gives the same answer to all; yield its port and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.end_headers()
            for chunk in chunks:
                self.wfile.write(chunk)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()
            thread.join()


def test_an_answer_is_counted_in_samples_behind_the_head() -> None:
    with answering(200, bytes(44), bytes(200)) as (port, asked):
        answer = ask(port, {"input": "a"})
    assert answer.samples == 100
    assert 0 < answer.first_sound <= answer.seconds
    assert asked == [{"input": "a", "response_format": "wav"}]


def test_what_is_no_sound_is_a_failure_that_says_why() -> None:
    with answering(503, b"busy") as (port, _):
        load = Clients(port, [{"input": "a"}], 2).run(0.0)
    assert (load.answers, load.share) == ([], 0.0)
    assert load.failures == ["ValueError: status 503: b'busy'"] * 2


def test_clients_ask_in_turn_and_are_watched_half_way() -> None:
    middle = []
    with answering(200, bytes(144)) as (port, asked):
        requests: list[dict[str, object]] = [{"input": "a"}, {"input": "b"}]
        load = Clients(port, requests, 2).run(0.05, lambda: middle.append(len(asked)))
    assert {each["input"] for each in asked[:2]} == {"a", "b"}
    assert len(load.answers) == len(asked) > 2
    assert len(middle) == 1
    assert load.share == 1.0


def test_the_pace_is_that_of_all_answers() -> None:
    load = Load([Answer(0.1, 1.0, 22050), Answer(0.2, 1.0, 44100)], [], wall_seconds=2.0)
    assert load.speech_per_second(22050) == 1.5


@pytest.mark.slow
def test_the_case_judges_errors_memory_and_the_first_sound(scale: Scale) -> None:
    pytest.importorskip("starlette")
    tiny = Serving(spec="small", changes=TINY, clients=(1, 3), seconds=0.2)
    found = json.loads(json.dumps(measure(replace(scale, serving=tiny), 1).report()))
    rows = [(each["contender"], each["setting"]["clients"]) for each in found["measurements"]]
    assert rows == [(BATCHES, 1), (ALONE, 1), (BATCHES, 3), (ALONE, 3)]
    assert all(each["facts"]["failed"] == 0 for each in found["measurements"])
    assert all(each["facts"]["s_of_speech_per_s"] > 0 for each in found["measurements"])
    assert [each["bar"] for each in found["verdicts"]][:2] in ([1.0, 1.1], [1.0, 1.0])
    assert found["verdicts"][-1]["what"] == f"first sound: {BATCHES} / {ALONE}"


@pytest.mark.slow
def test_the_case_of_a_voice_lets_the_server_choose(scale: Scale) -> None:
    pytest.importorskip("starlette")
    found = measure_voice(replace(scale, serving=Serving(clients=(2,), seconds=0.1)), 1)
    assert [each.contender for each in found.measurements] == [CHOSEN, BATCHES]
    assert all(each.facts["failed"] == 0 for each in found.measurements)
    assert {each.bar for each in found.verdicts} <= {1.0, 1.1}
