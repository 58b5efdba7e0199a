"""A run's folder of step directories: saving, and finding the newest that is whole."""

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
    """A folder with a directory for each saved step, ``<root>/step-000000120/``.

    Nothing is made on disk before the first `save` or `hold`.

    Args:
        root: The folder of the run's steps.
        keep_last: How many of the newest steps stay, at least 1.
        keep_best: How many of those with the best scores stay besides.
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
        """Return what has the name of a step directory, by number, whole or not."""
        try:
            numbers = [step_number(name) for name in os.listdir(self.root)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(f"`{self.root}` could not be read: {error.strerror}.") from error
        return [self._step(each) for each in sorted(n for n in numbers if n is not None)]

    def newest(self, say: Callable[[str], None]) -> Step | None:
        """Return the newest step that verifies; nothing if there is none at all.

        Args:
            say: Is given a sentence about each newer one that is damaged.

        Raises:
            CheckpointError: There are steps, but not one of them is whole.
        """
        refused: dict[int, str] = {}
        while candidates := [each for each in self.steps() if each.number not in refused]:
            step = candidates[-1]
            try:
                step.verify()
            except StepGone:  # pruned while it was read, so there is a newer one
                continue
            except CheckpointError as error:
                refused[step.number] = str(error)
                say(f"{error} It is passed over; an earlier step is looked for.")
            else:
                return step
        if refused:
            raise CheckpointError(
                f"`{self.root}` has {len(refused)} saved steps and none of them is whole: "
                f"{' '.join(refused.values())}"
            )
        return None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the folder's one writer, for a ``with`` block; `save` is it for its own time.

        Raises:
            CheckpointError: Another process is; the message names it. Or the folder is not to be
                written to.
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
        """Save a step, then remove those that need not stay.

        A step that is there already and has the same content is returned as it is.

        Args:
            step: Its number, from 0 on, higher than any that is saved.
            write: Puts plain files into the folder that it is given, and no folders.
            facts: What else is to be known, as values that JSON has; no times, if equal content is
                to give equal bytes.
            score: How good the step is, if that was measured.

        Raises:
            CheckpointError: It could not be saved; all that was there is there still.
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
        """Remove the steps after one that is whole, to go on from there; return the removed.

        One that is damaged, or in which somebody put a file of their own, is renamed instead.

        Raises:
            CheckpointError: The step is not there or damaged, or one could not be removed.
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
        """Give the folder, open, while this process is its writer; sweep it at the start."""
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
        """Say of every failure what it stopped, and what there is."""
        try:
            yield
        except (OSError, CheckpointError) as error:
            raise CheckpointError(f"{what}: {said(error)} {self._remaining()}") from error
        except Exception as error:
            error.add_note(f"{what}. {self._remaining()}")
            raise

    def _remaining(self) -> str:
        """Return what there is to go on from, or nothing if that cannot be told either."""
        try:
            steps, disk = self.steps(), os.statvfs(self.root)
        except (OSError, CheckpointError):
            return ""
        newest = f"; the newest is {steps[-1].number}" if steps else ""
        free = disk.f_bavail * disk.f_frsize
        return f"The folder has {len(steps)} steps{newest}. The disk has {free:,} bytes free."

    def _check_order(self, step: int) -> None:
        """Refuse to save before a step that is whole: it would stay the newest."""
        for later in self.steps():
            if later.number > step and _verifies(later):
                raise CheckpointError(
                    f"step {later.number} is saved already; {step} would not be the newest, so "
                    f"go on from {later.number}, or call `discard_after` with where to go on from."
                )

    def _place(self, new: Temporary, target: Step, manifest: Manifest, folder: int) -> None:
        """Put a sealed folder where it belongs; one that is whole is never replaced."""
        if os.path.lexists(target.path):
            if _verifies(target):
                _check_equal(target, manifest)
                return
            set_aside(target, folder)
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
            f"step {there.number} is saved already, with other content; one that is whole is "
            "not replaced. Give the run a folder of its own, or remove that step."
        )


def _check_numbers(step: int, score: float | None) -> None:
    if type(step) is not int or step < 0:
        raise CheckpointError(f"`step` must be a whole number from 0 on, not {step!r}.")
    if score is not None and (type(score) is not float or not math.isfinite(score)):
        raise CheckpointError(f"`score` must be a finite float or None, not {score!r}.")
