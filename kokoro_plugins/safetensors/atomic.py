"""A file that is there whole or not at all, also after a crash or a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def replaced_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to and put what is there in place of `path` at the end.

    The temporary lies in a folder of its own beside the target, so that what a killed process
    leaves behind is in one place that shows its purpose. The file gets the mode of the umask,
    which safetensors does not give. If the block raises, the target is untouched.

    Raises:
        OSError: The file system refuses.
    """
    folder = path.absolute().parent
    with TemporaryDirectory(prefix=f".{path.name}.", suffix=".tmp", dir=folder) as own:
        temporary = Path(own, path.name)
        temporary.touch()
        mode = temporary.stat().st_mode & 0o777
        yield temporary
        temporary.chmod(mode)
        _sync(temporary)
        os.replace(temporary, path)
        _sync(folder)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
