"""What other processes and users may do; the superuser's children become users first."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from kokoro_core.durable import StepFolder
from kokoro_core.errors import CheckpointError
from tests.kokoro_core.durable.kills import ended_by, fork
from tests.kokoro_core.durable.scenes import save, write_file
from tests.kokoro_core.durable.small_process import quick_folder

CASES = {
    "save to a folder that is read-only": "Permission denied. The folder has 2 steps",
    "read from a folder that is read-only": "read step 2",
    "read a step whose file has mode 0": "`model.safetensors`: Permission denied",
    "read a folder that may not be entered": "none of them is intact",
    "read a folder that may not be listed": "could not be read: Permission denied",
    "make a folder where none may be made": "could not be written to: Permission denied",
    "replace a file in a folder that is read-only": "PermissionError",
}


def without_rights() -> dict[str, str]:
    """Do what each case says as a user who may not, and return what was said."""
    said = {}
    with quick_folder() as base:
        base.chmod(0o777)
        save(base / "warm", 1)  # whoever gives up rights may not import any more
        write_file(base / "file", 1)
        StepFolder(base / "warm").newest(print)
        for number, case in enumerate(CASES):
            own = base / str(number)
            own.mkdir()
            own.chmod(0o777)
            report = own / "report"
            ended_by(fork(partial(_report, case, report)))
            said[case] = report.read_text()
    return said


def _report(case: str, report: Path) -> None:
    report.write_text(_tried(case, report.parent))


def _tried(case: str, base: Path) -> str:
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    root = base / "run"
    for step in (1, 2):
        save(root, step)
    said: list[str] = []
    try:
        said.append(_try(case, root, said))
    except (CheckpointError, OSError) as error:
        said.append(f"{type(error).__name__}: {error}")
    finally:
        root.chmod(0o777)
    return "\n".join(said)


def _try(case: str, root: Path, said: list[str]) -> str:
    kind, modes = case.partition(" ")[0], {"read-only": 0o555, "entered": 0o444, "listed": 0o333}
    if case.endswith("mode 0"):
        (root / "step-000000002/model.safetensors").chmod(0)
    else:
        root.chmod(modes.get(case.rpartition(" ")[2], 0o555))
    if kind == "save":
        save(root, 3)
    elif kind == "make":
        save(root / "deeper/run", 1)
    elif kind == "replace":
        write_file(root / "file", 1)
    else:
        found = StepFolder(root).newest(said.append)
        return f"read step {found and found.number}"
    return "nothing was refused"


def lock_and_die() -> dict[str, bool]:
    """Hold a folder in a process that forks, kill it, and take the folder while its child lives."""
    with quick_folder() as base:
        ready, refused = base / "ready", base / "refused"

        def hold() -> None:
            folder = StepFolder(base / "run")
            with folder.hold():
                fork(lambda: _live_on(folder, ready, refused))
                time.sleep(600)

        holder = fork(hold)
        while not ready.exists():
            if os.waitpid(holder, os.WNOHANG)[0]:
                raise AssertionError("the holder has ended")
            time.sleep(0.001)
        os.kill(holder, signal.SIGKILL)
        ended_by(holder)
        save(base / "run", 1)
        os.kill(int(ready.read_text()), signal.SIGKILL)
        return {"free": True, "child_was_refused": refused.exists()}


def _live_on(folder: StepFolder, ready: Path, refused: Path) -> None:
    try:
        folder.save(1, lambda path: None, facts={})
    except CheckpointError as error:
        if "is being written to by process" in str(error):
            refused.touch()
    part = ready.with_name("part")
    part.write_text(str(os.getpid()))
    part.rename(ready)
    time.sleep(600)
