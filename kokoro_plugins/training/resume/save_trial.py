"""Whether a training can be saved at all, asked before the first step."""

from __future__ import annotations

import os
from pathlib import Path

from kokoro_core import KokoroModel
from kokoro_core.errors import CheckpointError
from kokoro_plugins.training.resume.step_files import MODEL_FILE

TIMES_THE_MODEL = 3
"""A step holds the model and two averages of each gradient."""


def check_saving(model: KokoroModel, folder: Path) -> None:
    """Refuse a training whose first save would fail, with all that was trained until then lost.

    Args:
        model: With the weights that training begins with.
        folder: Where the steps go; it exists, and this process writes to it.

    Raises:
        CheckpointError: The model could not be saved or not be loaded again, or the disk has no
            room for a single step.
    """
    model.check_savable(folder / MODEL_FILE)
    needed = TIMES_THE_MODEL * sum(each.nbytes for each in model.acoustic.state_dict().values())
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise CheckpointError(
            f"`{folder}` has {free:,} bytes free, and one save takes about {needed:,}; nothing was "
            f"trained. Make room, or choose another `--out`."
        )
