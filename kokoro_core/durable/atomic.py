"""A file that is complete or absent, even after a crash or a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kokoro_core.durable.disk import open_folder, open_regular, sync, umask_mode
from kokoro_core.durable.temporary import sweep, temporary_folder


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, and replace `path` by that file at the end.

    The temporary is in a folder of its own next to the target; leftovers of killed processes there
    are removed. The file's mode follows the umask. If the block raises, the target is untouched.

    Raises:
        CheckpointError: The block left no regular file.
        OSError: The file system reports an error.
    """
    parent = path.absolute().parent
    with open_folder(parent) as folder:
        sweep(folder)
        with temporary_folder(parent, folder, "file") as temporary:
            yield temporary.path / path.name
            with open_regular(path.name, temporary.descriptor) as written:
                os.fchmod(written, umask_mode(temporary.descriptor))
                sync(written)  # before the rename, which could reach the disk first
            os.rename(path.name, path.name, src_dir_fd=temporary.descriptor, dst_dir_fd=folder)
            sync(folder)
