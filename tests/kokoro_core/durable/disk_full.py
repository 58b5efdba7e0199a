"""Let the disk be full, over quota or failing, at every size and at every call."""

from __future__ import annotations

import errno
import os
import resource
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kokoro_core.errors import CheckpointError
from tests.kokoro_core.durable.calls import CHANGING, names_of_calls, watched
from tests.kokoro_core.durable.kills import ended_by, fork
from tests.kokoro_core.durable.scenes import copy_of, judge, judge_next_start, run_with, save
from tests.kokoro_core.durable.small_process import quick_folder

FAILING = CHANGING | {"close", "flock", "file_digest"}


def full_at_sizes(older: int, sizes: list[int]) -> dict[str, Any]:
    """Save where no file may be larger than so many bytes."""
    new, wrong, found = older + 1, [], []
    with quick_folder() as base:
        root = run_with(base, older)
        for size in sizes:
            copy = copy_of(root)
            ended_by(fork(partial(_save_within, size, copy, new)))
            number, problems = judge(copy, older, new)
            if any(name.startswith(".tmp") for name in os.listdir(copy)):
                problems.append("a temporary is left")
            problems += judge_next_start(copy, new + 1)
            found.append(number)
            wrong += [f"{size} bytes: {each}" for each in problems]
    return {"wrong": wrong, "found": found}


def _save_within(size: int, root: Path, step: int) -> None:
    """Save or be refused in so many words; Python ignores the signal that comes with the limit."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    try:
        save(root, step)
    except CheckpointError as error:
        if str(root) not in str(error) or os.strerror(errno.EFBIG) not in str(error):
            raise AssertionError("the error does not say what is full") from error


def fail_at_every_call(older: int, every: bool) -> dict[str, Any]:
    """Let each call of a save fail in three ways; `every`: also those that only look."""
    new, wrong, raised, cases = older + 1, [], 0, 0
    with quick_folder() as base:
        root = run_with(base, older)
        copy = copy_of(root)
        names = names_of_calls(lambda: save(copy, new))
        for call, name in enumerate(names):
            for code in (errno.ENOSPC, errno.EIO, errno.EDQUOT):
                if every or name in FAILING:
                    copy, failure = copy_of(root), Failure(call, code)
                    problems = _save_with(failure, copy, older, new)
                    raised += failure.reported
                    cases += 1
                    wrong += [f"{name} {call} {errno.errorcode[code]}: {each}" for each in problems]
    return {"wrong": wrong, "raised": raised, "cases": cases, "names": sorted(set(names))}


class Failure:
    """A watcher that lets one call fail; a file is closed even if that fails."""

    def __init__(self, call: int, code: int) -> None:
        self.call, self.code, self.seen = call, code, 0
        self.while_removing = self.reported = False

    def __call__(self, name: str, call: Callable[[], Any], *_: Any) -> Any:
        self.seen += 1
        if self.seen - 1 != self.call:
            return call()
        if name == "close":
            call()
        stack = {frame.name for frame in traceback.extract_stack()}
        self.while_removing = not stack.isdisjoint({"remove_folder", "_discard"})
        raise OSError(self.code, os.strerror(self.code))


def _save_with(failure: Failure, root: Path, last: int, new: int) -> list[str]:
    problems = []
    try:
        with watched(failure):
            save(root, new)
    except CheckpointError as error:
        failure.reported = True
        if str(root) not in str(error) or os.strerror(failure.code) not in str(error):
            problems.append(f"the error says only: {error}")
    number, more = judge(root, last, new)
    if not failure.reported and number != new:
        problems.append("nothing was raised and nothing saved")
    if not failure.while_removing:  # what could not be removed stays until the process has ended
        more += [name for name in os.listdir(root) if name.startswith(".tmp")]
        if failure.code == errno.EIO:  # the next save is the same after each kind of error
            more += judge_next_start(root, new + 1)
    return problems + more
