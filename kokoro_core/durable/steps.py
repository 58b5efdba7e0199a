"""A run's folder of step directories: saving, and finding the newest intact one."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from kokoro_core.durable.canonical import canonical_json
from kokoro_core.durable.disk import make_folders, open_folder, sync
from kokoro_core.durable.keeping import Keeping, clear, prune, set_aside
from kokoro_core.durable.lock import WriterLock
from kokoro_core.durable.manifest import Manifest
from kokoro_core.durable.sealing import seal
from kokoro_core.durable.step import Step, StepGone, said, step_name, step_number
from kokoro_core.durable.temporary import Temporary, sweep, temporary_folder
from kokoro_core.errors import CheckpointError


class StepFolder:
    """A folder with one directory per saved step, ``<root>/step-000000120/``.

    Nothing is created on disk before the first `save` or `hold`.

    Args:
        root: The folder of the run's steps.
        keep_last: How many of the newest steps to keep, at least 1.
        keep_best: How many of those with the best scores to keep in addition.
        lower_is_better: Whether the best score is the lowest.

    Raises:
        CheckpointError: Nothing would be kept.
    """

    def __init__(
        self,
        root: Path,
        *,
        keep_last: int = 2,
        keep_best: int = 0,
        lower_is_better: bool = True,
    ) -> None:
        self.root = Path(root).absolute()
        self._keeping = Keeping(keep_last, keep_best, lower_is_better)
        self._lock = WriterLock(self.root)
        self._saving = Lock()

    def steps(self) -> list[Step]:
        """Return everything named like a step directory, by number, intact or not."""
        try:
            numbers = [step_number(name) for name in os.listdir(self.root)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(f"`{self.root}` could not be read: {error.strerror}.") from error
        return [self._step(each) for each in sorted(n for n in numbers if n is not None)]

    def newest(self, say: Callable[[str], None]) -> Step | None:
        """Return the newest step that verifies; None if there are no steps.

        Args:
            say: Called with a sentence about each newer step that is damaged.

        Raises:
            CheckpointError: There are steps, but none is intact.
        """
        refused: dict[int, str] = {}
        while candidates := [each for each in self.steps() if each.number not in refused]:
            step = candidates[-1]
            try:
                step.verify()
            except StepGone:  # pruned while being read, so there is a newer one
                continue
            except CheckpointError as error:
                refused[step.number] = str(error)
                say(f"{error} It is skipped; looking for an earlier step.")
            else:
                return step
        if refused:
            raise CheckpointError(
                f"`{self.root}` has {len(refused)} saved steps and none of them is intact: "
                f"{' '.join(refused.values())}"
            )
        return None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the folder's only writer during a ``with`` block; `save` takes that role by itself.

        Raises:
            CheckpointError: Another process is writing, and the message names it; or the folder is
                not writable.
        """
        with self._writing():
            yield

    def save(
        self,
        step: int,
        write: Callable[[Path], None],
        *,
        facts: Mapping[str, Any],
        score: float | None = None,
    ) -> Step:
        """Save a step, then remove those that need not be kept.

        An existing step with the same content is returned unchanged.

        Args:
            step: Its number, 0 or more, higher than any saved one.
            write: Writes regular files, and no folders, into the folder that it is given.
            facts: Further JSON values; without timestamps, equal content gives equal bytes.
            score: The step's score, if it was evaluated.

        Raises:
            CheckpointError: It could not be saved; everything saved before is unaffected.
        """
        canonical_json(facts, "facts")
        _check_numbers(step, score)
        target = self._step(step)
        with self._writing() as folder, self._saving:
            with self._named(f"`{target.path}` could not be saved"):
                self._check_order(step)
                with temporary_folder(self.root, folder, "step") as temporary:
                    write(temporary.path)
                    manifest = seal(temporary.descriptor, step, facts, score)
                    self._place(temporary, target, manifest, folder)
                target.check()
            with self._named(f"`{target.path}` is saved, but earlier steps could not be removed"):
                prune(self.steps(), self._keeping, folder)
        return target

    def discard_after(self, step: int) -> list[Step]:
        """Remove the steps after an intact one, to continue from there; return the removed ones.

        A step that is damaged, or to which somebody added a file, is renamed instead.

        Raises:
            CheckpointError: The step is missing or damaged, or a later one could not be removed.
        """
        self._step(step).verify()
        with self._writing() as folder, self._saving:
            later = [each for each in self.steps() if each.number > step]
            with self._named(f"the steps after `{self._step(step).path}` could not all be removed"):
                for each in reversed(later):
                    clear(each, folder)
                sync(folder)
        return later

    def _step(self, number: int) -> Step:
        return Step(number, self.root / step_name(number))

    @contextmanager
    def _writing(self) -> Iterator[int]:
        """Yield the folder's descriptor while this process is its writer; sweep it first."""
        with ExitStack() as stack:
            try:
                make_folders(self.root)
                folder = stack.enter_context(open_folder(self.root))
                if stack.enter_context(self._lock.held(folder)):
                    sweep(folder)
            except OSError as error:
                raise CheckpointError(
                    f"`{self.root}` could not be written to: {error.strerror}."
                ) from error
            yield folder

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """Add to every failure what it prevented, and what is saved."""
        try:
            yield
        except (OSError, CheckpointError) as error:
            raise CheckpointError(f"{what}: {said(error)} {self._remaining()}") from error
        except Exception as error:
            error.add_note(f"{what}. {self._remaining()}")
            raise

    def _remaining(self) -> str:
        """Return what can be resumed from, or an empty text if that is unknown."""
        try:
            steps, disk = self.steps(), os.statvfs(self.root)
        except (OSError, CheckpointError):
            return ""
        newest = f"; the newest is {steps[-1].number}" if steps else ""
        free = disk.f_bavail * disk.f_frsize
        return f"The folder has {len(steps)} steps{newest}. The disk has {free:,} bytes free."

    def _check_order(self, step: int) -> None:
        """Reject saving below an intact step, since that would remain the newest."""
        for later in self.steps():
            if later.number > step and _verifies(later):
                raise CheckpointError(
                    f"step {later.number} is saved already; {step} would not be the newest, so "
                    f"go on from {later.number}, or call `discard_after` with where to go on from."
                )

    def _place(self, new: Temporary, target: Step, manifest: Manifest, folder: int) -> None:
        """Move a sealed folder into place; an intact step is never replaced."""
        if os.path.lexists(target.path):
            if _verifies(target):
                _check_equal(target, manifest)
                return
            set_aside(target, folder)
        # Two folders cannot be exchanged atomically everywhere: an intact step is never replaced.
        os.rename(new.name, target.path.name, src_dir_fd=folder, dst_dir_fd=folder)
        sync(folder)


def _verifies(step: Step) -> bool:
    try:
        step.verify()
    except CheckpointError:
        return False
    return True


def _check_equal(there: Step, manifest: Manifest) -> None:
    if there.manifest != manifest:
        raise CheckpointError(
            f"step {there.number} is saved already, with different content; an intact one is "
            "not replaced. Give the run a folder of its own, or remove that step."
        )


def _check_numbers(step: int, score: float | None) -> None:
    if type(step) is not int or step < 0:
        raise CheckpointError(f"`step` must be a whole number from 0 on, not {step!r}.")
    if score is not None and (type(score) is not float or not math.isfinite(score)):
        raise CheckpointError(f"`score` must be a finite float or None, not {score!r}.")
