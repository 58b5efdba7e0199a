"""Which steps stay, and how the others go: first hidden by a rename, then deleted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count

from kokoro_core.durable.disk import open_folder, sync
from kokoro_core.durable.manifest import MANIFEST_NAME
from kokoro_core.durable.step import Step
from kokoro_core.durable.temporary import free_name, remove_folder
from kokoro_core.errors import CheckpointError


@dataclass(frozen=True)
class Keeping:
    """How many steps to keep.

    Attributes:
        last: The newest ones, at least 1.
        best: Those with the best scores, in addition; of equal scores the earlier is better.
        lower_is_better: Whether the best score is the lowest.
    """

    last: int
    best: int
    lower_is_better: bool

    def __post_init__(self) -> None:
        _check_count("keep_last", self.last, 1)
        _check_count("keep_best", self.best, 0)

    def kept(self, scores: Sequence[tuple[int, float | None]]) -> set[int]:
        """Return the numbers to keep, given steps with their scores."""
        sign = 1 if self.lower_is_better else -1
        scored = sorted((sign * score, number) for number, score in scores if score is not None)
        newest = sorted(number for number, _ in scores)[-self.last :]
        return {*newest, *(number for _, number in scored[: self.best])}


def _check_count(name: str, value: int, least: int) -> None:
    if type(value) is not int or value < least:
        raise CheckpointError(
            f"`{name}` must be a whole number of at least {least}, not {value!r}."
        )


def prune(steps: Sequence[Step], keeping: Keeping, folder: int) -> None:
    """Remove the steps that need not be kept.

    A damaged step is left for inspection and not counted; one to which somebody added a file
    is left untouched.

    Raises:
        OSError: The file system reports an error.
    """
    whole = [each for each in steps if _is_whole(each)]
    kept = keeping.kept([(each.number, each.manifest.score) for each in whole])
    others = [each for each in whole if each.number not in kept]
    _discard([each for each in others if not _has_foreign_files(each, folder)], folder)


def clear(step: Step, folder: int) -> None:
    """Free the name of a step directory: remove an intact step, rename anything else.

    A directory that is damaged, or to which somebody added a file, is renamed.

    Raises:
        OSError: The file system reports an error.
    """
    if _is_whole(step) and not _has_foreign_files(step, folder):
        _discard([step], folder)
    else:
        set_aside(step, folder)


def set_aside(step: Step, folder: int) -> None:
    """Rename what has the name of a step rather than delete it: it may be somebody's only copy.

    Raises:
        OSError: The file system reports an error.
    """
    _move(step.path.name, f"set-aside-{step.path.name}", folder)


def _is_whole(step: Step) -> bool:
    try:
        step.check()
    except CheckpointError:
        return False
    return True


def _has_foreign_files(step: Step, folder: int) -> bool:
    """Return whether a step directory contains anything that was not saved with it."""
    with open_folder(step.path.name, inside=folder) as descriptor:
        return not set(os.listdir(descriptor)) <= {MANIFEST_NAME, *step.manifest.files}


def _discard(steps: Sequence[Step], folder: int) -> None:
    """Remove steps: rename them all first, then delete the files now or in a later sweep.

    The renames are synced before a file is deleted, so no power cut leaves a partial step.
    """
    moved = [_move(each.path.name, free_name(folder, "old"), folder) for each in steps]
    if moved:
        # Else a power cut could keep a deletion but lose the rename: part of a step would show.
        sync(folder)
    for name in moved:
        with suppress(OSError):
            remove_folder(name, folder)


def _move(name: str, to: str, folder: int) -> str:
    """Rename to a free name, numbered if necessary, and return that name."""
    taken = set(os.listdir(folder))
    names = chain([to], (f"{to}-{number}" for number in count(2)))
    # os.rename would silently replace an empty folder of that name
    free = next(each for each in names if each not in taken)
    os.rename(name, free, src_dir_fd=folder, dst_dir_fd=folder)
    return free
