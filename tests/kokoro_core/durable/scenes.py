"""What the fault tests save, and how they judge what a fault left."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from kokoro_core.durable import Step, StepFolder, atomic_file

FACTS = {"progress": {"epoch": 1, "rate": 0.001}, "plugins": {"transformer": "0.1.0"}}


def content_of(step: int) -> dict[str, bytes]:
    """Return the files of a step: their bytes tell the step."""
    source = random.Random(step)
    return {"model.safetensors": source.randbytes(3000), "training.json": source.randbytes(500)}


def write_plainly(path: Path, content: bytes) -> None:
    """Write a file in two parts, so that a fault can come between."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for part in (memoryview(content)[:1000], memoryview(content)[1000:]):
            rest = part
            while rest:  # a disk that gets full takes a part first
                rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def writer_of(step: int) -> Callable[[Path], None]:
    """Return what writes the files of a step."""

    def write(folder: Path) -> None:
        for name, content in content_of(step).items():
            write_plainly(folder / name, content)

    return write


def save(root: Path, step: int, keep_last: int = 2) -> Step:
    """Save a step of the scene."""
    return StepFolder(root, keep_last=keep_last).save(step, writer_of(step), facts=FACTS)


def run_with(base: Path, older: int) -> Path:
    """Return the folder of a run that has saved the steps from 1 to `older`."""
    root = base / f"older-{older}"
    root.mkdir()
    for step in range(1, older + 1):
        save(root, step, keep_last=older)
    return root


def copy_of(root: Path) -> Path:
    """Return a copy of a folder, for one fault."""
    copy = root.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(root, copy)
    return copy


def read(step: Step) -> dict[str, bytes]:
    """Return the files of a step, as a reader gets them."""
    found = {}
    for name in step.manifest.files:
        with step.open(name) as file:
            found[name] = file.read()
    return found


def judge(root: Path, last: int, new: int) -> tuple[int, list[str]]:
    """Return which step a reader gets (0: none), and what is wrong with that or any in sight."""
    said: list[str] = []
    found = StepFolder(root).newest(said.append)
    number = found.number if found else 0
    wrong = [f"said: {each}" for each in said]
    if number not in {last, new}:
        wrong.append(f"the newest is {number}, not {last} or {new}")
    for step in StepFolder(root).steps():
        step.verify()
        if read(step) != content_of(step.number) or step.manifest.facts != FACTS:
            wrong.append(f"step {step.number} has another content")
    return number, wrong


def judge_next_start(root: Path, step: int) -> list[str]:
    """Return what is wrong with the folder after the next run has saved to it."""
    save(root, step)
    wrong = judge(root, step, step)[1]
    left = [name for name in os.listdir(root) if name.startswith(".tmp")]
    return [*wrong, *(f"{name} was not swept" for name in left)]


def write_file(path: Path, step: int) -> None:
    """Write the single-file form of a step."""
    with atomic_file(path) as temporary:
        write_plainly(temporary, content_of(step)["model.safetensors"])


def half_way_back(base: Path) -> tuple[Path, Callable[[Path], object], set[int]]:
    """Return a run of four steps, what takes the last two away, and what may be the newest."""

    def go_back(root: Path) -> None:
        StepFolder(root).discard_after(2)

    return run_with(base, 4), go_back, {2, 3, 4}


def damaged_and_saved_again(base: Path) -> tuple[Path, Callable[[Path], object], set[int]]:
    """Return a run with a damaged step, what saves it again, and what may be the newest."""
    root = run_with(base, 2)
    with (root / "step-000000002/model.safetensors").open("r+b") as file:
        file.write(b"rot")
    return root, lambda copy: save(copy, 2), {1, 2}


OTHERS = {"back": half_way_back, "again": damaged_and_saved_again}


def judge_others(root: Path, allowed: set[int]) -> list[str]:
    """Return what is wrong with what a reader gets, where a damaged step may be in sight."""
    found = StepFolder(root).newest(lambda what: None)
    if found is None or found.number not in allowed or read(found) != content_of(found.number):
        return [f"the newest is {found}"]
    return []
