"""A file that is there whole or not at all, also after a crash or a power cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kokoro_core.durable.disk import open_folder, open_regular, sync, umask_mode
from kokoro_core.durable.temporary import sweep, temporary_folder


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to and put what is there in place of `path` at the end.

    The temporary lies in a folder of its own beside the target; what killed processes left there is
    swept. The file gets the mode of the umask. If the block raises, the target is untouched.

    Raises:
        CheckpointError: The block left no regular file.
        OSError: The file system refuses.
    """
    parent = path.absolute().parent
    with open_folder(parent) as folder:
        sweep(folder)
        with temporary_folder(parent, folder, "file") as temporary:
            yield temporary.path / path.name
            with open_regular(path.name, temporary.descriptor) as written:
                os.fchmod(written, umask_mode(temporary.descriptor))
                sync(written)
            os.rename(path.name, path.name, src_dir_fd=temporary.descriptor, dst_dir_fd=folder)
            sync(folder)
