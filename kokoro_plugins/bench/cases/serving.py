"""Many clients of `kokoro-core serve`, with batches and one by one."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kokoro_core import KokoroModel
from kokoro_plugins.bench.load import Clients, Load
from kokoro_plugins.bench.results import CaseResult, Measurement
from kokoro_plugins.bench.sizes import Scale, Serving
from kokoro_plugins.bench.timing import Timing

BATCHES, ALONE = "ours, batches of 8", "ours, one by one"

TEXTS = (
    "The door is open. Nobody has come in since the morning, and the lamp is still lit.",
    "Where is the key?",
    "It rained all night. The river rose by a foot and went down again before noon. Then it froze.",
    "She read the letter twice, folded it, and put it back into the drawer of her desk.",
    "No. I do not think so. Ask again tomorrow.",
)


@dataclass(frozen=True)
class Server:
    """A server in a process of its own.

    Attributes:
        port: Where it listens on this machine.
        pid: Its process.
    """

    port: int
    pid: int

    def resident(self) -> int | None:
        """Return the bytes of memory that it has, or None where that is not known."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return None if found is None else 1024 * int(found[1])


def measure(scale: Scale, threads: int) -> CaseResult:
    """Time the first sound and count what comes, with few clients and with many."""
    said = scale.serving
    result = CaseResult("serving", "clients that ask a server for speech, again and again")
    with TemporaryDirectory() as folder, ExitStack() as stack:
        path = Path(folder) / "model.safetensors"
        sample_rate = save_model(path, said)
        servers = {
            name: stack.enter_context(serving(path, threads, most))
            for name, most in ((BATCHES, 8), (ALONE, 1))
        }
        for count in said.clients:
            setting = {"clients": count, "threads": threads}
            for name, server in servers.items():
                load, grown = _load(server, count, said.seconds)
                first = Timing(tuple(each.first_sound for each in load.answers) or (0.0,))
                facts = _facts(load, sample_rate, server)
                result.measurements.append(Measurement(name, setting, first, facts))
                _judge(result, name, load, grown, setting)
    _judge_first_sounds(result)
    result.notes.append(
        f"The times are those of the first sound. The model is `{said.spec}` with random weights "
        f"and at least six frames a phoneme; clients ask for {said.seconds:g} s and wait for what "
        f"they have asked for. Clients and server share the machine."
    )
    return result


def save_model(path: Path, said: Serving) -> int:
    """Save a model that speaks at about the pace of speech, and return its sample rate."""
    pace = {"generation.min_frames": 6, "generation.stop_threshold": 1.0}
    model = KokoroModel.from_spec(said.spec, overrides={**pace, **said.changes})
    model.save(path)
    assert model.spec.audio is not None
    return model.spec.audio.sample_rate


@contextmanager
def serving(path: Path, threads: int, max_batch: int) -> Iterator[Server]:
    """Serve a model on a free port until the end of a block."""
    command = [sys.executable, "-m", "kokoro_core", "serve", f"model={path}", "--port", "0"]
    command += ["--threads", str(threads), "--max-batch", str(max_batch), "--log-level", "error"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found is None:
                raise ValueError(f"The server did not start: {line}{process.stderr.read()}")
            server = Server(int(found[1]), process.pid)
            _load(server, 2, 0.0)  # what is made at the first call is no part of a load
            yield server
        finally:
            process.terminate()


def _load(server: Server, count: int, seconds: float) -> tuple[Load, float | None]:
    """Return what clients got, and the server's memory at the end over that in the middle."""
    requests: list[dict[str, object]] = [
        {"model": "model", "voice": "default", "input": text} for text in TEXTS
    ]
    middle: list[int | None] = []
    load = Clients(server.port, requests, count).run(
        seconds, lambda: middle.append(server.resident())
    )
    end = server.resident()
    grown = None if end is None or middle[0] is None else end / middle[0]
    return load, grown


def _facts(load: Load, sample_rate: int, server: Server) -> dict[str, float | int | None]:
    firsts = sorted(each.first_sound * 1000 for each in load.answers)
    resident = server.resident()
    return {
        "requests": len(load.answers) + len(load.failures),
        "failed": len(load.failures),
        "p95_ms": firsts[int(0.95 * (len(firsts) - 1))] if firsts else None,
        "whole_ms": statistics.median(each.seconds * 1000 for each in load.answers)
        if load.answers
        else None,
        "s_of_speech_per_s": load.speech_per_second(sample_rate),
        "MiB": None if resident is None else resident / 2**20,
    }


def _judge(
    result: CaseResult, name: str, load: Load, grown: float | None, setting: dict[str, int]
) -> None:
    result.notes += [f"{name}: {each}" for each in load.failures[:3]]
    result.judge(f"{name}: answered / asked", load.share, "at least", 1.0, setting)
    if grown is not None:
        what = f"{name}: memory at the end / in the middle"
        result.judge(what, grown, "at most", 1.1, setting)


def _judge_first_sounds(result: CaseResult) -> None:
    """Hold the first sound with the most clients beside that of a server without batches."""
    *_, batches, alone = result.measurements
    ratio = batches.timing.median / alone.timing.median
    what = f"first sound: {BATCHES} / {ALONE}"
    result.judge(what, ratio, "at most", 0.5, batches.setting)
