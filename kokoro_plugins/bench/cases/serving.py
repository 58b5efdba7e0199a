"""Many clients of `kokoro-core serve`, with batches and one by one."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from kokoro_core import KokoroModel
from kokoro_plugins.bench.load import TIMEOUT, Clients, Load
from kokoro_plugins.bench.results import CaseResult, Measurement
from kokoro_plugins.bench.sizes import Scale, Serving
from kokoro_plugins.bench.timing import Timing

BATCHES, ALONE, CHOSEN = "ours, batches of 8", "ours, one by one", "ours, as it chooses"

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

    def sample_rate(self) -> int:
        """Return the samples per second of what it speaks."""
        with urlopen(f"http://127.0.0.1:{self.port}/v1/models/model", timeout=TIMEOUT) as answer:
            rate = json.load(answer)["sample_rate"]
        assert isinstance(rate, int)
        return rate


def measure(scale: Scale, threads: int) -> CaseResult:
    """Time the first sound and count what comes, with few clients and with many."""
    said = scale.serving
    result = CaseResult("serving", "clients that ask a server for speech, again and again")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_model(path, said)
        _under_load(result, str(path), {BATCHES: 8, ALONE: 1}, said, threads)
    _judge_first_sounds(result)
    result.notes.append(
        f"The model is `{said.spec}` with random weights and at least six frames a phoneme. "
        + _conditions(said)
    )
    return result


def measure_voice(scale: Scale, threads: int) -> CaseResult:
    """Do the same with a voice that makes all frames of a sentence at once."""
    said = scale.serving
    result = CaseResult("voice", f"clients that ask a server for the voice `{said.voice}`")
    _under_load(result, said.voice, {CHOSEN: None, BATCHES: 8}, said, threads)
    result.notes.append(
        f"`{said.voice}` makes all frames of a sentence at once, so the server chooses to speak "
        f"its sentences one by one. " + _conditions(said)
    )
    return result


def _conditions(said: Serving) -> str:
    return (
        f"The times are those of the first sound. Clients ask for {said.seconds:g} s and wait for "
        f"what they have asked for; they and the server share the machine."
    )


def _under_load(
    result: CaseResult,
    checkpoint: str,
    batches: Mapping[str, int | None],
    said: Serving,
    threads: int,
) -> None:
    """Let clients ask servers of one checkpoint that differ in how they choose batches."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serving(checkpoint, threads, most))
            for name, most in batches.items()
        }
        for count in said.clients:
            setting = {"clients": count, "threads": threads}
            for name, server in servers.items():
                load, grown = _load(server, count, said.seconds)
                first = Timing(tuple(each.first_sound for each in load.answers) or (0.0,))
                facts = _facts(load, server)
                result.measurements.append(Measurement(name, setting, first, facts))
                _judge(result, name, load, grown, setting)


def save_model(path: Path, said: Serving) -> None:
    """Save a model that speaks at about the pace of speech."""
    pace = {"generation.min_frames": 6, "generation.stop_threshold": 1.0}
    KokoroModel.from_spec(said.spec, overrides={**pace, **said.changes}).save(path)


@contextmanager
def serving(checkpoint: str, threads: int, max_batch: int | None) -> Iterator[Server]:
    """Serve a checkpoint or a voice on a free port until the end of a block."""
    command = [sys.executable, "-m", "kokoro_core", "serve", f"model={checkpoint}", "--port", "0"]
    command += ["--threads", str(threads), "--log-level", "error"]
    command += [] if max_batch is None else ["--max-batch", str(max_batch)]
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


def _facts(load: Load, server: Server) -> dict[str, float | int | None]:
    firsts = sorted(each.first_sound * 1000 for each in load.answers)
    resident = server.resident()
    return {
        "requests": len(load.answers) + len(load.failures),
        "failed": len(load.failures),
        "p95_ms": firsts[int(0.95 * (len(firsts) - 1))] if firsts else None,
        "whole_ms": statistics.median(each.seconds * 1000 for each in load.answers)
        if load.answers
        else None,
        "s_of_speech_per_s": load.speech_per_second(server.sample_rate()),
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
