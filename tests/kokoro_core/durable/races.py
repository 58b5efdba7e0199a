"""Several processes at one folder: who writes, who prunes, who reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from kokoro_core.durable import StepFolder
from kokoro_core.errors import CheckpointError
from tests.kokoro_core.durable.kills import ended_by, fork
from tests.kokoro_core.durable.scenes import FACTS, content_of, read, write_file, writer_of
from tests.kokoro_core.durable.small_process import quick_folder

REFUSED = "is being written to by"


def race(rounds: int, attempts: int, readers: int) -> dict[str, Any]:
    """Let two writers, one of which keeps a single step, and some readers loose on a folder.

    In each round they start at once on a folder that is not there yet.
    """
    saved = 0
    with quick_folder() as base:
        for number in range(rounds):
            root = base / f"run-{number}"
            writers = [_writer(root, keep, attempts) for keep in (1, 2)]
            children = [fork(each) for each in (*writers, *[_reader(root, attempts)] * readers)]
            for child in children:
                ended_by(child)
            newest = StepFolder(root).newest(_refuse_to_hear)
            assert newest is not None
            saved += newest.number
            assert [name for name in os.listdir(root) if name.startswith(".tmp")] == []
    return {"saved": saved}


def _refuse_to_hear(what: str) -> None:
    raise AssertionError(what)


def _writer(root: Path, keep_last: int, attempts: int) -> Callable[[], None]:
    """Return what saves the next step, again and again, unless another is just writing."""

    def write() -> None:
        folder = StepFolder(root, keep_last=keep_last)
        for _ in range(attempts):
            try:
                with folder.hold():
                    newest = folder.newest(_refuse_to_hear)
                    step = newest.number + 1 if newest else 1
                    folder.save(step, _alone(root, step), facts=FACTS)
            except CheckpointError as error:
                if REFUSED not in str(error):
                    raise

    return write


def _alone(root: Path, step: int) -> Callable[[Path], None]:
    """Return what writes a step and fails if anyone else is writing one."""

    def write(folder: Path) -> None:
        marker = root / "writing"
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        writer_of(step)(folder)
        marker.unlink()

    return write


def _reader(root: Path, attempts: int) -> Callable[[], None]:
    """Return what reads the newest step, again and again, and compares it to the bit."""

    def look() -> None:
        seen = 0
        for _ in range(attempts * 3):
            step = StepFolder(root).newest(_refuse_to_hear)
            if step is None:
                continue
            assert step.number >= seen
            seen = step.number
            with suppress(CheckpointError):  # pruned between finding and reading
                assert read(step) == content_of(step.number)

    return look


def race_for_one_file(rounds: int) -> dict[str, Any]:
    """Let four processes replace one file, and a reader look at it meanwhile."""
    whole = {content_of(step)["model.safetensors"] for step in range(1, 6)}
    with quick_folder() as base:
        path = base / "model.safetensors"
        for _ in range(rounds):
            write_file(path, 5)
            children = [fork(partial(write_file, path, step)) for step in range(1, 5)]
            assert path.read_bytes() in whole
            for child in children:
                ended_by(child)
            assert path.read_bytes() in whole
            assert os.listdir(base) == [path.name]
    return {"rounds": rounds}
