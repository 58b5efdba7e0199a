"""Whether a training can be saved at all, asked before the first step."""

from __future__ import annotations

import os
from pathlib import Path

from torch import nn

from kokoro_core.errors import CheckpointError
from kokoro_plugins.training.loop.task import Task

TIMES_THE_MODEL = 3
"""A step holds the model and two averages of each gradient."""


def check_saving(task: Task, folder: Path, objective: nn.Module | None = None) -> None:
    """Refuse a training whose first save would fail, with all that was trained until then lost.

    Args:
        task: With the weights that training begins with.
        folder: Where the steps go; it exists, and this process writes to it.
        objective: What the model is trained for; None: its own loss.

    Raises:
        CheckpointError: The model could not be saved or not be loaded again, or the disk has no
            room for a single step.
    """
    task.check_savable(folder / task.file)
    saved = [task.trained] if objective is None else [task.trained, objective]
    sizes = [each.nbytes for part in saved for each in part.state_dict().values()]
    needed = TIMES_THE_MODEL * sum(sizes)
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise CheckpointError(
            f"`{folder}` has {free:,} bytes free, and one save takes about {needed:,}; nothing was "
            f"trained. Make room, or choose another `--out`."
        )
