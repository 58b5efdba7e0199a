"""The command `serve`: what it refuses, what it says, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from kokoro_core import KokoroModel
from kokoro_core.cli.app import main
from kokoro_core.cli.session import Session
from kokoro_plugins.serve import run
from kokoro_plugins.serve.command import loaded, names_of
from kokoro_plugins.serve.run import is_loopback
from registry import Voice, installed_plugins
from tests.kokoro_plugins.serve.conftest import running, wanted


@pytest.fixture(scope="module")
def checkpoint(model: KokoroModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    model.save(path)
    return path


def said_by(capsys: pytest.CaptureFixture[str], *args: str | Path) -> str:
    with pytest.raises(SystemExit) as caught:
        main(["serve", *map(str, args)])
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_two_checkpoints_of_one_name_are_refused(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = said_by(capsys, checkpoint, checkpoint, "--port", "0")
    assert "would be served as `small`, as another checkpoint is; give it a name" in said
    assert f"`small-2={checkpoint}`" in " ".join(said.split())


def test_what_is_no_checkpoint_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "missing.safetensors" in said_by(capsys, tmp_path / "missing.safetensors", "--port", "0")
    assert "`=x` must be CHECKPOINT or NAME=CHECKPOINT." in said_by(capsys, "=x")


def test_a_port_that_is_taken_is_told(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = said_by(capsys, checkpoint, "--port", port)
    assert f"`127.0.0.1` port {port} cannot be listened at:" in said


def test_a_name_is_given_before_the_path(tmp_path: Path) -> None:
    odd = tmp_path / "a=b.safetensors"
    odd.touch()
    assert names_of(["mine=x/y.safetensors", str(odd)]) == [
        ("mine", Path("x/y.safetensors")),
        (None, odd),
    ]


def test_a_voice_of_a_plugin_is_served_under_its_name(checkpoint: Path) -> None:
    card = checkpoint.with_name("card.md")
    voice = Voice("alto", checkpoint, card, "acme")
    session = Session()
    session.plugins = replace(installed_plugins(), voices={"alto": voice})
    named = [(None, Path("alto")), ("low", Path("acme/alto")), (None, checkpoint)]
    assert list(loaded(named, "cpu", session)) == ["alto", "low", "small"]


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("127.3.4.5", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("example.org", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, inside: bool) -> None:
    assert is_loopback(host) == inside


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_token_of_the_environment_is_asked_for_and_names_are_checked_inside(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(run, "run", lambda app, listening, **more: begun.append(app))
    monkeypatch.setenv("KOKORO_TOKEN", "abc")
    with pytest.raises(SystemExit) as ended:
        main(["serve", f"mine={checkpoint}", "--port", "0", "--host", host])
    assert not ended.value.code
    with running(begun[0]) as started:
        url = f"{started.url}/v1/models"
        assert httpx2.get(url).status_code == 401
        headers = {"authorization": "Bearer abc"}
        [listed] = httpx2.get(url, headers=headers).json()["data"]
        assert listed["id"] == "mine"
        elsewhere = httpx2.get(url, headers={**headers, "host": "evil.example"})
    assert elsewhere.status_code == (421 if host == "127.0.0.1" else 200)


@contextmanager
def serving(*args: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server of its own and yield it with what it says until it serves."""
    command = [sys.executable, "-m", "kokoro_core", "serve", *map(str, args), "--port", "0"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        said = ""
        while "http://" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        # What it says more must not fill the pipe.
        reader = threading.Thread(target=process.stderr.read)
        reader.start()
        try:
            yield process, said
        finally:
            process.kill()
            reader.join()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM for others")
def test_at_sigterm_what_runs_is_sent_and_what_is_new_is_refused(checkpoint: Path) -> None:
    text = "This is a sentence that takes its time, as long ones do. " * 12
    fields = wanted(input=text, model="mine", response_format="wav", speed=0.25)
    with serving(f"mine={checkpoint}", "--host", "0.0.0.0", "--max-batch", "1") as (process, said):
        assert "lets everybody speak who reaches this machine; `--token`" in " ".join(said.split())
        port = said[said.rindex("http://") :].rpartition(":")[2]
        url = f"http://127.0.0.1:{int(port)}"
        with httpx2.stream("POST", f"{url}/v1/audio/speech", json=fields, timeout=60) as answer:
            assert answer.status_code == 200
            process.send_signal(signal.SIGTERM)
            refused = wait_for_refusal(url)
            heard = b"".join(answer.iter_bytes())
        assert refused.json()["error"]["message"].startswith("The server is being stopped: it ends")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert len(heard) > 12 * 22050
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (None, "The server ended without a signal that asked for it, and its log says why."),
        (RuntimeError("no room"), "asked for it: RuntimeError('no room')."),
        (SystemExit(3), "asked for it: SystemExit(3)."),
    ],
)
def test_a_server_that_ends_by_itself_is_a_failure(
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cause: BaseException | None,
    said: str,
) -> None:
    def end(server: uvicorn.Server, sockets: Any = None) -> None:
        server.started = True
        if cause is not None:
            raise cause

    monkeypatch.setattr(uvicorn.Server, "run", end)
    assert said in " ".join(said_by(capsys, checkpoint, "--port", "0").split())


def wait_for_refusal(url: str) -> httpx2.Response:
    """Ask until the signal has arrived."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        health = httpx2.get(f"{url}/health")
        if health.status_code == 503:
            assert health.json()["status"] == "closing"
            return httpx2.post(f"{url}/v1/audio/speech", json=wanted(model="mine"))
        time.sleep(0.01)
    raise AssertionError("the server did not note the signal")
