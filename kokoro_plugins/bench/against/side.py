"""A process that holds one side of a comparison."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, final

from kokoro_plugins.bench.against.checkout import Checkout

WORKER = Path(__file__).with_name("worker.py")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@final
class Side:
    """One side's process.

    Args:
        name: What messages call it.
        process: Runs the worker.
        said: What it writes to standard error.
    """

    def __init__(self, name: str, process: subprocess.Popen[str], said: IO[bytes]) -> None:
        self._name = name
        self._process = process
        self._said = said

    def wait_until_ready(self) -> int:
        """Wait for the case to be prepared and return how many parameters the model has.

        Raises:
            ValueError: The checkout cannot be imported, or has no such model.
        """
        return int(self._reply()["parameters"])

    def run(self) -> float:
        """Run the case once and return the seconds that it took on the side's own clock.

        Raises:
            ValueError: It failed.
        """
        assert self._process.stdin is not None
        with suppress(OSError):  # where it has ended, the reply says why
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        return float(self._reply()["seconds"])

    def _reply(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        reply: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in reply:
            raise ValueError(f"{self._name} cannot be measured: {reply['error']}")
        return reply

    def _last_words(self) -> str:
        """Return the last line that the process wrote to standard error."""
        status = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").splitlines()
        return next((line for line in reversed(lines) if line.strip()), f"exit status {status}")


@contextmanager
def started(checkout: Checkout, settings: Mapping[str, Any]) -> Iterator[Side]:
    """Start a process on a checkout and end it afterwards."""
    own = json.dumps({**settings, "root": str(checkout.root)})
    with TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER), own],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            encoding="utf-8",
            env=_environment(checkout, settings["threads"]),
        )
        try:
            yield Side(checkout.name, process, said)
        finally:
            process.kill()
            process.communicate()


def _environment(checkout: Checkout, threads: int) -> dict[str, str]:
    """Return this process's environment with the checkout in front of everything installed."""
    others = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    path = os.pathsep.join([*map(str, checkout.path), *others])
    return {**os.environ, "PYTHONPATH": path, **dict.fromkeys(THREADS, str(threads))}
