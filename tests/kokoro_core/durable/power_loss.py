"""Cut the power at any moment of a save, and look at what the disk may then have.

After a power cut a disk has what `fsync` waited for. Of the rest it has any part: data without the
name, the name without the data, a later move without an earlier one, half of a write. After
Pillai et al., "All file systems are not created equal" (OSDI 2014), which finds such states by the
same kind of replay. Nothing is assumed of the order in which a file system writes.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.kokoro_core.durable.calls import watched
from tests.kokoro_core.durable.op_log import Image, Operation, Recorder, Sync
from tests.kokoro_core.durable.scenes import (
    OTHERS,
    content_of,
    judge,
    judge_others,
    run_with,
    save,
    write_file,
)
from tests.kokoro_core.durable.small_process import quick_folder


def cut_the_power(older: int, draws: int, forget: str) -> dict[str, Any]:
    """Judge every distinct state that a power cut during a save can leave.

    Args:
        older: How many steps are saved already.
        draws: How many random parts of what was not synced are kept, at each moment.
        forget: Whose syncs the disk does not keep: "files", "folders" or "" for an honest disk.
    """
    new = older + 1
    with quick_folder() as base:
        root = run_with(base, older)
        recorder = _record(root, lambda: save(root, new))
        states = _distinct(recorder, draws, forget)
        wrong = []
        for number, tree in enumerate(states):
            _lay_out(tree, base / "after")
            wrong += _judged(base / "after", older, new, go_on=number % 5 == 0)
    return {"states": len(states), "operations": len(recorder.log), "wrong": wrong}


def cut_the_power_of_another_act(name: str, draws: int) -> dict[str, Any]:
    """Do the same for what else moves steps about."""
    with quick_folder() as base:
        root, act, allowed = OTHERS[name](base)
        states = _distinct(_record(root, lambda: act(root)), draws, "")
        wrong = []
        for tree in states:
            _lay_out(tree, base / "after")
            wrong += judge_others(base / "after", allowed)
    return {"states": len(states), "wrong": wrong}


def cut_the_power_of_one_file(draws: int, forget: str) -> dict[str, Any]:
    """Do the same for the replacement of one file."""
    old, new = (content_of(step)["model.safetensors"] for step in (1, 2))
    with quick_folder() as base:
        write_file(base / "model.safetensors", 1)
        recorder = _record(base, lambda: write_file(base / "model.safetensors", 2))
    states = _distinct(recorder, draws, forget)
    wrong = [sorted(each) for each in states if each.get("model.safetensors") not in {old, new}]
    return {"states": len(states), "wrong": wrong}


def _record(top: Path, action: Callable[[], Any]) -> Recorder:
    recorder = Recorder(top)
    with watched(recorder):
        action()
    return recorder


def _judged(root: Path, last: int, new: int, *, go_on: bool) -> list[str]:
    """Return what is wrong, also after the next run has gone on from there."""
    try:
        problems = judge(root, last, new)[1]
        if go_on:
            save(root, new + 1)
            problems += judge(root, new + 1, new + 1)[1]
        return problems
    except Exception as error:
        return [str(error)]


def _distinct(recorder: Recorder, draws: int, forget: str) -> list[dict[str, Any]]:
    """Return the trees that can be on the disk, each once."""
    trees: dict[str, dict[str, Any]] = {}
    for image in _images(recorder.image, recorder.log, draws, forget):
        tree = image.tree()
        trees.setdefault(repr(tree), tree)
    return list(trees.values())


def _images(
    start: Image, log: Sequence[Operation | Sync], draws: int, forget: str
) -> Iterator[Image]:
    source = random.Random(0)
    for moment in range(len(log) + 1):
        asked = log[:moment]
        loose = _unsynced(asked, forget)
        for kept in _parts(loose, draws, source):
            yield _replayed(start, asked, loose - kept, {})
            torn = {each: source.randint(1, 9) for each in kept if source.random() < 0.5}
            yield _replayed(start, asked, loose - kept, torn)


def _unsynced(asked: Sequence[Operation | Sync], forget: str) -> set[int]:
    """Return which operations nobody has waited for since, by index."""
    loose: set[int] = set()
    for index, each in enumerate(asked):
        if isinstance(each, Operation):
            loose.add(index)
        elif forget != ("folders" if each.is_folder else "files"):
            loose -= {i for i in loose if _is_synced(asked[i], each.of)}
    return loose


def _is_synced(operation: Operation | Sync, number: int) -> bool:
    return isinstance(operation, Operation) and number in operation.of


def _parts(loose: set[int], draws: int, source: random.Random) -> Iterator[set[int]]:
    """Yield what of it is kept: all, nothing, all but one, one alone, and random parts."""
    yield loose
    yield set()
    for each in sorted(loose):
        yield loose - {each}
        yield {each}
    for _ in range(draws):
        yield {each for each in sorted(loose) if source.random() < 0.5}


def _replayed(
    start: Image, asked: Sequence[Operation | Sync], lost: set[int], torn: dict[int, int]
) -> Image:
    image = start.copy()
    for index, each in enumerate(asked):
        if isinstance(each, Sync) or index in lost:
            continue
        if index in torn and each.torn:
            each.torn(image, torn[index])
        else:
            each.apply(image)
    return image


def _lay_out(tree: dict[str, Any], folder: Path) -> None:
    """Write a tree to a folder, in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, value in tree.items():
        if isinstance(value, dict):
            _lay_out(value, folder / name)
        else:
            (folder / name).write_bytes(value)
