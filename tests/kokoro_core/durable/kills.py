"""Kill a save: before each of its calls to the operating system, and at random moments."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.kokoro_core.durable.calls import CHANGING, before_call, names_of_calls, watched
from tests.kokoro_core.durable.scenes import (
    OTHERS,
    content_of,
    copy_of,
    judge,
    judge_next_start,
    judge_others,
    run_with,
    save,
    write_file,
)
from tests.kokoro_core.durable.small_process import quick_folder


def fork(action: Callable[[], Any]) -> int:
    """Return a child that does this and ends; 0 says that nothing was raised."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        action()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def ended_by(child: int) -> int:
    """Wait for a child and return the signal that killed it, or 0; a failure of its own is ours."""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status > 0:
        raise AssertionError("the child raised an error")
    return -status


def die(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at_every_call(older: int, every: bool) -> dict[str, Any]:
    """Kill a save before each call that it makes, and after the last.

    Args:
        older: How many steps are saved already.
        every: Also before calls that only look; what these leave is what the next that changes
            something leaves.
    """
    new, wrong, found = older + 1, [], []
    with quick_folder() as base:
        root = run_with(base, older)
        copy = copy_of(root)
        names = names_of_calls(lambda: save(copy, new))
        calls = [n for n, name in enumerate(names) if every or name in CHANGING]
        for call in (*calls, len(names)):
            copy = copy_of(root)

            def killed(copy: Path = copy, call: int = call) -> None:
                with watched(before_call(call, die)):
                    save(copy, new)

            by = ended_by(fork(killed))
            number, problems = judge(copy, older, new)
            problems += judge_next_start(copy, new + 1)
            if (by == signal.SIGKILL) != (call < len(names)):
                problems.append(f"ended by signal {by}")
            found.append(number)
            wrong += [f"call {call}: {each}" for each in problems]
    return {"calls": len(calls), "wrong": wrong, "found": found}


def kill_another_act(name: str) -> dict[str, Any]:
    """Kill what else moves steps about, before each call that changes something."""
    with quick_folder() as base:
        root, act, allowed = OTHERS[name](base)
        copy = copy_of(root)
        names = names_of_calls(lambda: act(copy))
        calls = [number for number, each in enumerate(names) if each in CHANGING]
        wrong = []
        for call in calls:
            copy = copy_of(root)

            def killed(copy: Path = copy, call: int = call) -> None:
                with watched(before_call(call, die)):
                    act(copy)

            assert ended_by(fork(killed)) == signal.SIGKILL
            problems = judge_others(copy, allowed)
            save(copy, 9)
            problems += judge_others(copy, {9})
            problems += [each for each in os.listdir(copy) if each.startswith(".tmp")]
            wrong += [f"call {call}: {each}" for each in problems]
    return {"calls": len(calls), "wrong": wrong}


def kill_at_random(older: int, kills: int, seed: int) -> dict[str, Any]:
    """Kill a save at random moments of the time that it takes; one that is done is none."""
    source, new, wrong, killed = random.Random(seed), older + 1, [], 0
    with quick_folder() as base:
        root = run_with(base, older)
        duration = _duration(root, new)
        while killed < kills:
            copy = copy_of(root)
            child = fork(partial(save, copy, new))
            time.sleep(source.uniform(0, duration))
            os.kill(child, signal.SIGKILL)
            killed += ended_by(child) == signal.SIGKILL
            problems = judge(copy, older, new)[1]
            if killed % 5 == 0:
                problems += judge_next_start(copy, new + 1)
            wrong += [f"kill {killed}: {each}" for each in problems]
    return {"killed": killed, "wrong": wrong}


def _duration(root: Path, new: int) -> float:
    """Return the seconds in which a child can save, where nothing else runs."""
    times = []
    for _ in range(5):
        copy = copy_of(root)
        start = time.perf_counter()
        ended_by(fork(partial(save, copy, new)))
        times.append(time.perf_counter() - start)
    return min(times)


def kill_the_single_file_at_every_call() -> dict[str, Any]:
    """Kill the replacement of one file before each call that it makes."""
    old, new = (content_of(step)["model.safetensors"] for step in (1, 2))
    wrong, found = [], []
    with quick_folder() as base:
        path = base / "model.safetensors"
        calls = len(names_of_calls(lambda: write_file(path, 1)))
        for call in range(calls + 1):
            write_file(path, 1)

            def killed(call: int = call) -> None:
                with watched(before_call(call, die)):
                    write_file(path, 2)

            ended_by(fork(killed))
            found.append([old, new].index(path.read_bytes()))
            write_file(path, 1)
            left = set(os.listdir(base)) - {path.name}
            wrong += [f"call {call}: {each} is left" for each in left]
    return {"calls": calls, "wrong": wrong, "found": found}
