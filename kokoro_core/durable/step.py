"""A step directory, from the reader's side."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from kokoro_core.durable.disk import open_folder, open_regular, sha256_of
from kokoro_core.durable.manifest import MANIFEST_NAME, MAX_BYTES, FileRecord, Manifest
from kokoro_core.errors import CheckpointError

_NAME = re.compile(r"step-(\d{9,})", re.ASCII)


class StepGone(CheckpointError):
    """A step directory no longer exists, because its run has pruned it."""


def step_name(number: int) -> str:
    """Return the name of a step's directory."""
    return f"step-{number:09d}"


def step_number(name: str) -> int | None:
    """Return the number in the name of a step's directory; None for any other name."""
    found = _NAME.fullmatch(name)
    number = int(found[1]) if found and len(name) < 64 else None
    return number if number is not None and step_name(number) == name else None


@dataclass(frozen=True)
class Step:
    """A directory with the files of one training step.

    Attributes:
        number: The step.
        path: The directory.
    """

    number: int
    path: Path

    @cached_property
    def manifest(self) -> Manifest:
        """The directory's manifest.

        Raises:
            CheckpointError: It is damaged, or has another version.
        """
        with self._opened() as folder:
            return self._manifest(folder)

    def file(self, name: str) -> Path:
        """Return the path of a file in the manifest; prefer `open` where links may be planted.

        Raises:
            CheckpointError: The manifest does not list it.
        """
        self._record(name)
        return self.path / name

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file in the manifest for reading; it must be a regular file of the right size.

        Its content is not verified; hash it while reading, or call `verify` first.

        Raises:
            CheckpointError: It is not listed, is missing, or is not such a file.
        """
        record = self._record(name)
        with self._opened() as folder, open_regular(name, folder) as descriptor:
            _check_size(name, descriptor, record)
            with open(descriptor, "rb", closefd=False) as file:
                yield file

    def check(self) -> None:
        """Verify everything except the content of files: the manifest, and the sizes.

        Raises:
            CheckpointError: As `verify`.
        """
        with self._opened() as folder:
            for name, record in self._manifest(folder).files.items():
                with open_regular(name, folder) as descriptor:
                    _check_size(name, descriptor, record)

    def verify(self) -> None:
        """Read every file and compare it with the manifest.

        Raises:
            CheckpointError: A file is missing, changed or not regular; the message says which.
            StepGone: The directory no longer exists.
        """
        with self._opened() as folder:
            verify_files(folder, self._manifest(folder))

    def _record(self, name: str) -> FileRecord:
        files = self.manifest.files
        if name not in files:
            raise CheckpointError(
                f"`{self.path}` has no file `{name}`; it has {', '.join(sorted(files))}."
            )
        return files[name]

    def _manifest(self, folder: int) -> Manifest:
        with (
            open_regular(MANIFEST_NAME, folder) as descriptor,
            open(descriptor, "rb", closefd=False) as file,
        ):
            manifest = Manifest.from_bytes(file.read(MAX_BYTES + 1))
        if manifest.step != self.number:
            raise CheckpointError(f"`{MANIFEST_NAME}` is of step {manifest.step}.")
        return manifest

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Yield the directory's descriptor; errors name it, and say if it has disappeared."""
        try:
            with open_folder(self.path.parent) as root, open_folder(self.path.name, root) as folder:
                yield folder
        except StepGone:
            raise
        except (OSError, CheckpointError) as error:
            if self._is_gone():
                raise StepGone(f"`{self.path}` does not exist (any more).") from error
            raise CheckpointError(f"`{self.path}` is not intact: {said(error)}") from error

    def _is_gone(self) -> bool:
        try:
            self.path.lstat()
        except FileNotFoundError:
            return True
        except OSError:  # it exists, but is not accessible
            return False
        return False


def verify_files(folder: int, manifest: Manifest) -> None:
    """Compare the files in an open folder with a manifest.

    Raises:
        CheckpointError: A file is changed or not a regular one.
        OSError: A file is missing or cannot be read.
    """
    for name, record in manifest.files.items():
        with open_regular(name, folder) as descriptor:
            _check_size(name, descriptor, record)
            found = sha256_of(descriptor)
        if found != record.sha256:
            raise CheckpointError(
                f"`{name}` has different content than when it was written (SHA-256 {found[:12]}…, "
                f"not {record.sha256[:12]}…)."
            )


def _check_size(name: str, descriptor: int, record: FileRecord) -> None:
    size = os.fstat(descriptor).st_size
    if size != record.size:
        raise CheckpointError(f"`{name}` has {size} bytes, not {record.size}.")


def said(error: Exception) -> str:
    """Return an error's message as the end of a sentence."""
    if isinstance(error, OSError):
        where = f"`{error.filename}`: " if error.filename else ""
        return f"{where}{error.strerror or error}."
    return str(error)
