"""A start that fails leaves nothing behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kokoro_core.durable.lock import LOCK_NAME


@contextmanager
def leaving_nothing(*folders: Path) -> Iterator[None]:
    """Make folders for a ``with`` block, and take away at its end what is still empty of them.

    So a start that fails before the first step leaves no trace, and a file that was written keeps
    its folder.

    Args:
        *folders: Outer ones before inner; those above them are made and taken away as well.

    Raises:
        OSError: They cannot be made.
    """
    above = [each for folder in folders for each in (*reversed(folder.parents), folder)]
    made = [each for each in dict.fromkeys(above) if not each.exists()]
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for each in reversed(made):
            _remove_if_empty(each)


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder that has nothing in it but the lock of its writer, which has gone."""
    with suppress(OSError):
        if os.listdir(folder) == [LOCK_NAME]:
            (folder / LOCK_NAME).unlink()
        folder.rmdir()
