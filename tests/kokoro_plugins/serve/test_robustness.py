"""What clients do wrong or on purpose: each gets a clear answer, and the server serves on."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import replace
from typing import Any

import httpx2
import pytest
import soundfile
import torch

from kokoro_core import KokoroModel
from kokoro_core.errors import FrontendError
from kokoro_core.speech import speak
from kokoro_plugins.serve.app import Limits, speech_app
from tests.kokoro_plugins.serve.conftest import (
    Held,
    Running,
    eventually,
    raw_body,
    raw_request,
    running,
    wanted,
)

SENTENCES = " ".join(
    f"Here is number {each}." for each in ["one", "two", "three", "four", "five", "six"]
)


@pytest.mark.parametrize(
    ("fields", "status", "code", "param", "said"),
    [
        ({"model": "tinny"}, 404, "model_not_found", "model", "did you mean `tiny`"),
        ({"model": 3}, 400, "invalid_value", "model", "`model` is wrong: input should be a valid"),
        (
            {"voice": "alloy"},
            400,
            "voice_not_found",
            "voice",
            "`alloy` is not a voice of `tiny`; it",
        ),
        ({"language": "en"}, 400, "language_not_found", "language", "of `tiny`; it has none"),
        (
            {"input": "a" * 2001},
            400,
            "string_above_max_length",
            "input",
            "at most 2,000 characters",
        ),
        ({"input": ""}, 400, "cannot_be_spoken", "input", "`text`"),
        ({"input": " … \n"}, 400, "cannot_be_spoken", "input", "nothing to speak"),
        ({"response_format": "aac"}, 400, "invalid_value", "response_format", "'mp3', 'opus'"),
        ({"speed": 9}, 400, "invalid_value", "speed", "less than or equal to 4, not 9"),
        ({"speed": "fast"}, 400, "invalid_value", "speed", "a valid number, not 'fast'"),
        ({"speeed": 1}, 400, "unknown_parameter", "speeed", "did you mean `speed`?"),
        ({"instructions": "Sing."}, 400, "unsupported_parameter", "instructions", "be left out"),
        ({"pitch": 1.2}, 400, "invalid_value", "pitch", "no part of this model has the option"),
        ({"options": {"a.b": 1}}, 400, "invalid_value", "options", "the option `a.b`; it has none"),
        (
            {"pitch": 1.2, "options": {"pitch.control": 1.1}},
            400,
            "invalid_value",
            "pitch",
            "`pitch` and `pitch.control` of `options` say the same; leave one of the two out.",
        ),
        (
            {"pitch": 1.2, "options": {"a.b": 1}},
            400,
            "invalid_value",
            "options",
            "the option `a.b`; it has none",
        ),
        (
            {"features": {"mood": 1}},
            400,
            "invalid_value",
            "features",
            "`mood` is not a number that",
        ),
        (
            {"max_mel_len": 5000},
            400,
            "invalid_value",
            "max_mel_len",
            "must be at most 1000, as",
        ),
        ({"seed": -1}, 400, "invalid_value", "seed", "greater than or equal to 0"),
        ({"reference": "/etc/passwd"}, 400, "unknown_parameter", "reference", "is not a field"),
    ],
)
def test_a_wrong_request_gets_a_sentence_in_the_shape_of_openai(
    server: Running, fields: dict[str, Any], status: int, code: str, param: str, said: str
) -> None:
    answer = server.post(wanted(**fields))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert error["type"] == "invalid_request_error"
    assert said in error["message"]
    assert error["message"][-1] in ".?"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"model": "tiny", "input"', "The body must be JSON, but EOF while parsing"),
        (b"", "The body must be JSON, but EOF"),
        (b"\xff\xfe", "The body must be JSON"),
        (b"[1, 2]", "The body must be a JSON object"),
        (b"[" * 5000, "The body must be JSON, but"),
        (b'{"model": "tiny", "voice": "default", "input": "\\ud800"}', "The body must be JSON"),
        (b'{"model": "tiny", "voice": "default"}', "`input` is missing; it is the text"),
        (b'{"model": "tiny", "input": "a", "voice": "default", "speed": NaN}', "finite number"),
    ],
)
def test_a_broken_body_is_told(server: Running, body: bytes, said: str) -> None:
    answer = server.post(content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_a_word_that_cannot_be_said_is_named_as_synthesize_names_it(
    server: Running, model: KokoroModel
) -> None:
    answer = server.post(wanted(input="Here is 漢字."))
    assert answer.status_code == 400
    with pytest.raises(FrontendError) as refused:
        speak(model, "Here is 漢字.")
    assert answer.json()["error"]["message"] == str(refused.value)
    assert answer.content.isascii()
    server.assert_serves()


def test_the_body_must_say_that_it_is_json_which_forms_of_other_pages_cannot(
    server: Running,
) -> None:
    answer = server.post(content=raw_body(), headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    assert "must be JSON with `content-type: application/json`" in answer.json()["error"]["message"]


def test_a_megabyte_of_text_is_refused_before_it_is_held(server: Running) -> None:
    answer = server.post(wanted(input="a" * 2**20))
    assert answer.status_code == 413
    assert answer.json()["error"]["message"].startswith("The body must have at most 40,384 bytes")
    server.assert_serves()


def test_a_body_without_end_is_cut_off_where_the_limit_is(server: Running) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        for _ in range(512):
            sent += 2**16
            yield b"a" * 2**16

    headers = {"content-type": "application/json"}
    try:
        answer = server.post(content=endless(), headers=headers)
        assert answer.status_code == 413
    except httpx2.TransportError:
        pass  # it was cut off while it still sent
    assert sent < 512 * 2**16
    server.assert_serves()


def test_a_length_that_is_a_lie_holds_nothing(server: Running) -> None:
    with server.connect() as client:
        client.sendall(raw_request(b"", 10**15, "expect: 100-continue\r\n"))
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")
    server.assert_serves()


def test_a_body_that_does_not_come_is_waited_for_no_longer_than_said(server: Running) -> None:
    with server.connect() as client:
        client.sendall(raw_request(b'{"model"', 100))
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")
    server.assert_serves()


@pytest.mark.parametrize("sent", [b"", b"GET", b"\x00\xff\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_harms_nobody(server: Running, sent: bytes) -> None:
    with server.connect() as client:
        client.sendall(sent)
    server.assert_serves()


def test_a_client_that_leaves_in_its_body_harms_nobody(server: Running) -> None:
    with server.connect() as client:
        client.sendall(raw_request(b'{"model"', 100))
    server.assert_serves()


def killed(client: socket.socket) -> None:
    """Let a connection end as if its process had been killed."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    client.close()


def test_a_client_killed_in_its_stream_is_spoken_for_no_more(model: KokoroModel) -> None:
    app = speech_app({"tiny": model}, limits=Limits(batch=1))
    held = Held(app)
    with running(app) as started:
        client = started.connect()
        client.sendall(raw_request(raw_body(input=SENTENCES, response_format="wav")))
        held.let_go()
        assert client.recv(9).startswith(b"HTTP/1.1 ")
        eventually(lambda: len(held.batches) == 2)
        killed(client)
        eventually(lambda: started.busy == 0)
        held.free()
        started.assert_serves()
    texts = [text for batch in held.batches for text in batch]
    assert texts == ["Here is number one.", "Here is number two.", "It is here."]


def test_the_sound_of_a_stream_that_is_cut_off_is_closed(
    model: KokoroModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[soundfile.SoundFile] = []

    open_sound = soundfile.SoundFile

    def noted(*args: Any, **more: Any) -> soundfile.SoundFile:
        opened.append(open_sound(*args, **more))
        return opened[-1]

    monkeypatch.setattr(soundfile, "SoundFile", noted)
    app = speech_app({"tiny": model}, limits=Limits(batch=1))
    held = Held(app)
    with running(app) as started:
        client = started.connect()
        client.sendall(raw_request(raw_body(input=SENTENCES, response_format="flac")))
        held.let_go()
        assert client.recv(9).startswith(b"HTTP/1.1 ")
        eventually(lambda: len(held.batches) == 2)
        killed(client)
        eventually(lambda: started.busy == 0)
        held.free()
    [sound] = opened
    assert sound.closed


def test_a_client_killed_while_it_waits_is_never_spoken_for(model: KokoroModel) -> None:
    app = speech_app({"tiny": model})
    held = Held(app)
    with running(app) as started, started.connect() as first, started.connect() as second:
        first.sendall(raw_request(raw_body(input="One.")))
        eventually(lambda: held.batches == [["One."]])
        second.sendall(raw_request(raw_body(input="Two.")))
        eventually(lambda: started.busy == 2)
        killed(second)
        eventually(lambda: started.busy == 1)
        held.free()
        assert first.recv(9).startswith(b"HTTP/1.1 ")
        started.assert_serves()
    assert [text for batch in held.batches for text in batch] == ["One.", "It is here."]


def test_a_client_that_does_not_read_is_spoken_for_only_so_far_and_then_left(
    model: KokoroModel,
) -> None:
    app = speech_app({"tiny": model}, limits=Limits(send_seconds=0.2, batch=1))
    held = Held(app)
    held.free()
    inner = held.speak

    def speak(readings: Any, **options: Any) -> Any:
        minutes = torch.zeros(4_000_000)
        return iter([replace(each, samples=minutes) for each in inner(readings, **options)])

    held.speak = speak  # type: ignore[method-assign]
    with running(app) as started, started.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(raw_request(raw_body(input="Yes. " * 100, response_format="wav")))
        eventually(lambda: started.busy == 1)
        eventually(lambda: started.busy == 0)
        assert 1 < len(held.batches) < 20
        started.assert_serves()


def test_what_is_too_much_is_told_to_come_again(model: KokoroModel) -> None:
    app = speech_app({"tiny": model}, limits=Limits(requests=3))
    held = Held(app)
    with running(app) as started:
        answers: list[httpx2.Response] = []
        threads = [
            threading.Thread(target=lambda: answers.append(started.post())) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        eventually(lambda: started.busy == 3)
        refused = started.post()
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["error"] == {
            "message": "3 requests are waiting or being spoken, and no more are taken; try later.",
            "type": "server_error",
            "param": None,
            "code": "server_busy",
        }
        held.free()
        for thread in threads:
            thread.join()
        assert [each.status_code for each in answers] == [200] * 3
        started.assert_serves()


def test_only_the_one_at_fault_fails_in_a_batch(model: KokoroModel) -> None:
    app = speech_app({"tiny": model})
    held = Held(app)
    inner = held.speak

    def speak(readings: Any, **options: Any) -> Any:
        if any(each.text.startswith("Bad") for each in readings):
            held.batches.append([each.text for each in readings])
            raise RuntimeError("the model is broken for this")
        return inner(readings, **options)

    held.speak = speak  # type: ignore[method-assign]
    answers: dict[str, httpx2.Response] = {}
    with running(app) as started:
        texts = ["First.", "Good.", "Bad. Good.", "Fine."]
        threads = [
            threading.Thread(
                target=lambda text=text: answers.update(
                    {text: started.post(wanted(input=text, response_format="wav"))}
                )
            )
            for text in texts
        ]
        threads[0].start()
        eventually(lambda: len(held.batches) == 1)
        for thread in threads[1:]:
            thread.start()
        eventually(lambda: started.busy == 4)
        held.free()
        for thread in threads:
            thread.join()
    assert {text: each.status_code for text, each in answers.items()} == {
        "First.": 200,
        "Good.": 200,
        "Bad. Good.": 500,
        "Fine.": 200,
    }
    said = answers["Bad. Good."].json()["error"]
    assert said["message"] == "The server failed to speak the text, and its log says more."
    assert said["code"] == "server_failed"
    assert answers["Bad. Good."].headers["x-should-retry"] == "false"


def test_a_stream_that_fails_is_cut_off_and_so_no_client_takes_it_for_whole(
    model: KokoroModel,
) -> None:
    app = speech_app({"tiny": model}, limits=Limits(batch=1))
    held = Held(app)
    inner = held.speak

    def speak(readings: Any, **options: Any) -> Any:
        if readings[0].text.startswith("Bad"):
            raise ValueError("The model says no.")
        return inner(readings, **options)

    held.speak = speak  # type: ignore[method-assign]
    held.free()
    with running(app) as started:
        with pytest.raises(httpx2.RemoteProtocolError):
            started.post(wanted(input="Good. Bad.", response_format="wav"))
        lines = started.post(wanted(input="Good. Bad."), path="/v1/audio/speech/sentences").text
        assert json.loads(lines.splitlines()[1])["error"]["message"].endswith(
            "and its log says more: The model says no."
        )
        events = started.post(wanted(input="Good. Bad.", stream_format="sse")).text
        assert '"type": "error"' in events
        whole = started.post(wanted(input="Good. Bad.", stream=False))
        assert (whole.status_code, whole.json()["error"]["code"]) == (500, "server_failed")
        started.assert_serves()


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/page/index.html",
        "/v1/models/../../../../etc/passwd",
        "/v1/models//etc/passwd",
        "/page.js/../../app.py",
    ],
)
def test_no_file_of_the_machine_is_reached(server: Running, path: str) -> None:
    with server.connect() as client:
        client.sendall(f"GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"code": "' in answer
    assert b"root:" not in answer


def test_many_clients_at_once_that_are_killed_leave_nothing_behind(server: Running) -> None:
    for _ in range(20):
        client = server.connect()
        client.sendall(raw_request(raw_body(input=SENTENCES)))
        time.sleep(0.005)
        killed(client)
    eventually(lambda: server.busy == 0)
    server.assert_serves()
