"""A process that has everything imported and forks for each job: trainings to interrupt, cheaply.

Tests cannot fork themselves: autograd refuses to run in the child of a process that has used it.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[4]


class ForkServer:
    """Runs functions of `tests.kokoro_plugins.training.jobs`, a forked process for each call.

    The name of a job in another module is ``MODULE:FUNCTION``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs = 0

    def __enter__(self) -> Self:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"from {__name__} import serve; serve()",
            ],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._requests.close()
            self._answers.close()

    def run(self, job: str, **arguments: Any) -> Ended:
        """Run a job to its end."""
        return self.run_together((job, arguments))[0]

    def run_together(self, *jobs: tuple[str, dict[str, Any]]) -> list[Ended]:
        """Run jobs side by side, each in a process."""
        requests, logs = [], []
        for name, arguments in jobs:
            self._jobs += 1
            logs.append(self._folder / f"{name.rpartition(':')[2]}-{self._jobs}.log")
            requests.append({"job": name, "arguments": arguments, "log": logs[-1]})
        self._requests.write(json.dumps(requests, default=str) + "\n")
        self._requests.flush()
        line = self._answers.readline()
        assert line, "the fork server has died"
        return [
            Ended(status, log.read_text("utf-8"))
            for status, log in zip(json.loads(line), logs, strict=True)
        ]


class Ended:
    """How a job ended.

    Attributes:
        status: As `subprocess` has it: negative for a signal.
        said: All that it printed.
    """

    def __init__(self, status: int, said: str) -> None:
        self.status = status
        self.said = said

    def __repr__(self) -> str:
        return f"status {self.status}: {self.said}"


def serve() -> None:
    """Answer requests until the standard input ends."""
    import torch

    torch.set_num_threads(1)
    from tests.kokoro_plugins.training import jobs

    jobs.warm_up()
    for line in sys.stdin:
        children = [start(jobs, request) for request in json.loads(line)]
        statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        print(json.dumps(statuses), flush=True)
    os._exit(0)


def start(jobs: Any, request: dict[str, Any]) -> int:
    """Fork a job and return its number; it may ask to be sent a signal after some seconds."""
    arguments = request["arguments"]
    after = arguments.pop("signal_after", None)
    pid = os.fork()
    if pid == 0:
        module, _, name = request["job"].rpartition(":")
        room = importlib.import_module(module) if module else jobs
        run_job(getattr(room, name), arguments, request["log"])
    if after is not None:
        time.sleep(after["seconds"])
        for name in after["signals"]:
            os.kill(pid, signal.Signals[name])
    return pid


def run_job(function: Any, arguments: dict[str, Any], log: str) -> None:
    """Run a job with its output in a file, and end the process."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.dup2(1, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    faulthandler.enable()
    status: Any = 0
    try:
        function(**arguments)
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:
        largest = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
