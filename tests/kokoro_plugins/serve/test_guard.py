"""Who may ask, and what browsers are told."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from kokoro_core import KokoroModel
from kokoro_plugins.serve.app import Limits, speech_app
from kokoro_plugins.serve.guard import LOOPBACK, host_of
from tests.kokoro_plugins.serve.conftest import Running, running, wanted

TOKEN = "geheim-ß-42"


@pytest.fixture(scope="module")
def guarded(model: KokoroModel) -> Iterator[Running]:
    with running(speech_app({"tiny": model}, token=TOKEN, hosts=LOOPBACK)) as started:
        yield started


@pytest.mark.parametrize(
    "header",
    ["", TOKEN, "Bearer", "Bearer geheim", f"Basic {TOKEN}", f"Bearer {TOKEN}x"],
)
@pytest.mark.parametrize("path", ["/v1/audio/speech", "/v1/models", "/v1/audio/speech/sentences"])
def test_without_the_token_nothing_is_said(guarded: Running, header: str, path: str) -> None:
    headers = {b"authorization": header.encode()}
    method = "GET" if path == "/v1/models" else "POST"
    answer = httpx2.request(method, guarded.url + path, headers=headers, json=wanted())
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["type"] == "authentication_error"
    assert "The token is missing or wrong; send `Authorization" in answer.json()["error"]["message"]


def test_with_the_token_it_speaks(guarded: Running) -> None:
    headers = {b"authorization": f"Bearer {TOKEN}".encode()}
    assert guarded.post(headers=headers).status_code == 200
    assert httpx2.get(f"{guarded.url}/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js", "/health"])
def test_the_page_which_asks_for_the_token_is_open(guarded: Running, path: str) -> None:
    answer = httpx2.get(guarded.url + path)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_name_that_another_page_points_here_is_refused(guarded: Running, host: str) -> None:
    answer = httpx2.get(f"{guarded.url}/health", headers={"host": host})
    assert answer.status_code == 421
    assert answer.json()["error"]["message"].startswith(f"The server is not reached as {host!r}")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:8000", "localhost"),
        ("LOCALHOST", "localhost"),
        ("[::1]:8000", "[::1]"),
        ("[::1]", "[::1]"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_name_in_a_host_header(header: str, name: str) -> None:
    assert host_of(header) == name


def test_other_pages_are_not_let_in_by_the_browser(guarded: Running) -> None:
    answer = httpx2.options(
        f"{guarded.url}/v1/audio/speech",
        headers={
            b"origin": b"https://evil.example",
            b"access-control-request-method": b"POST",
            b"access-control-request-headers": b"content-type",
            b"authorization": f"Bearer {TOKEN}".encode(),
        },
    )
    assert "access-control-allow-origin" not in answer.headers
    assert answer.status_code == 405


def test_it_can_be_mounted_in_another_app(model: KokoroModel) -> None:
    outer = Starlette(routes=[Mount("/tts", speech_app({"tiny": model}, token=TOKEN))])
    headers = {b"authorization": f"Bearer {TOKEN}".encode()}
    with running(outer) as started:
        answer = started.post(wanted(), path="/tts/v1/audio/speech", headers=headers)
        refused = started.post(wanted(), path="/tts/v1/audio/speech")
        assert httpx2.get(f"{started.url}/tts/").status_code == 200
    assert (answer.status_code, refused.status_code) == (200, 401)


def test_what_cannot_be_served_is_refused_when_the_app_is_made(model: KokoroModel) -> None:
    with pytest.raises(ValueError, match="`models` must have at least one model"):
        speech_app({})
    with pytest.raises(ValueError, match="`token` must not be empty; None lets everybody in"):
        speech_app({"tiny": model}, token=" ")
    with pytest.raises(ValueError, match="`requests` must be above 0, not 0"):
        Limits(requests=0)
    silent = KokoroModel.from_spec("small", overrides={"hidden_dim": 16, "frontend": None}).eval()
    with pytest.raises(ValueError, match="The model's spec has no `frontend`"):
        speech_app({"silent": silent})
    with pytest.raises(ValueError, match=r"`tiny` is in training mode; call `model.eval\(\)`"):
        speech_app({"tiny": KokoroModel.from_spec("small", overrides={"hidden_dim": 16})})
