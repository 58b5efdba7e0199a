"""`StepFiles`: what Lightning calls a checkpoint as a step directory, without pickle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import torch
from lightning.fabric.plugins.io import CheckpointIO
from torch import Tensor, nn

from kokoro_core.checkpoints.store import checkpointer_for
from kokoro_core.durable import StepFolder
from kokoro_core.errors import CheckpointError
from kokoro_core.spec.views.resolve import resolve
from kokoro_plugins.training.data.training_data import TrainingData
from kokoro_plugins.training.loop.module import OBJECTIVE_PREFIX, STATE
from kokoro_plugins.training.loop.optimizers import MODEL_PREFIX
from kokoro_plugins.training.loop.task import Task
from kokoro_plugins.training.resume.conditions import (
    ResumeRefused,
    differences,
    refusal,
    with_defaults,
)
from kokoro_plugins.training.resume.same_model import (
    check_state,
    refuse_other_model,
    refuse_other_objective,
    refuse_other_optimizer,
)
from kokoro_plugins.training.resume.tree import pack, unpack

TRAINING_FILE = "training.safetensors"
"""Optimizer, schedule, random states, loss log and all else that training goes on from."""

OBJECTIVE = "objective"
"""Where the weights of an objective stand in the state of a training."""

LEFT_OUT = ("state_dict", "loops", "epoch", "global_step")
"""The weights are in a file of their own. The counts of Lightning's loops are left out: they are of
one process and know no position in an order without end; `TrainingModule` counts steps."""

FORMAT_VERSION = 1

OTHER_PROCESSES = (
    "With another number of processes the order of the batches stays the same, but a step takes as "
    "many of them as there are processes, times `--accumulate`; gradients are added up in another "
    "order, and random numbers are those of the processes that there were, new ones in others."
)
"""What is not exact then."""


@final
class StepFiles(CheckpointIO):
    """Saves to and loads from a folder of step directories.

    Args:
        folder: Where the directories are.
        task: What is trained; its spec is saved with it.
        data: What it is trained on.
        objective: What it is trained for, which may have weights of its own; None: its own loss.
        allow_inexact: Load also what was saved under other conditions, and say what differs.
        say: Is given what the user should know.

    Attributes:
        conditions: What the course of the training depends on; the trainer, which knows some of it,
            is made with these files and sets it.
        score: How good the next step to be saved is, lower is better; None if that is not known.
        say_when_loaded: Said when a step is loaded that nothing speaks against; None: nothing.
    """

    def __init__(
        self,
        *,
        folder: StepFolder,
        task: Task,
        data: TrainingData,
        allow_inexact: bool,
        say: Callable[[str], None],
        objective: nn.Module | None = None,
    ) -> None:
        self.conditions: Mapping[str, Any] = {}
        self.score: float | None = None
        self.say_when_loaded: str | None = None
        self._folder = folder
        self._task = task
        self._data = type(data).__qualname__
        self._objective = objective
        self._allow_inexact = allow_inexact
        self._say = say

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Save a step; `path` is not asked, since the folder knows where a step belongs.

        Raises:
            CheckpointError: A tensor is not finite, or the disk refuses; earlier steps are left
                untouched.
        """
        step = checkpoint[STATE]["step"]
        rest = {key: each for key, each in checkpoint.items() if key not in LEFT_OUT}
        if self._objective is not None:
            rest[OBJECTIVE] = self._objective.state_dict()
        values, tensors = pack(rest)
        _refuse_bad(step, {**checkpoint["state_dict"], **tensors})
        metadata = {
            "format_version": FORMAT_VERSION,
            "state": values,
            "conditions": self.conditions,
        }

        def write(folder: Path) -> None:
            self._task.write(folder / self._task.file)
            target = folder / TRAINING_FILE
            checkpointer_for(target, self._task.plugins).save(target, tensors, metadata)

        self._folder.save(step, write, facts=self._facts(checkpoint), score=self.score)

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return what was saved in a step directory.

        Raises:
            ResumeRefused: It was saved under other conditions, or is of another model.
            CheckpointError: It is damaged or not of this version.
        """
        file, model_file = Path(path) / TRAINING_FILE, Path(path) / self._task.file
        checkpointer = checkpointer_for(file, self._task.plugins)
        metadata = checkpointer.read_metadata(file)
        _check_metadata(file, metadata)
        found = differences(with_defaults(metadata["conditions"]), self.conditions)
        if found and not self._allow_inexact:
            raise ResumeRefused(refusal(path, found))
        refuse_other_optimizer(Path(path), found)
        with checkpointer.open(model_file) as opened:
            self._task.make_room(opened.layout)
            refuse_other_model(Path(path), self._task.layout(), opened.layout, found)
        state = unpack(metadata["state"], checkpointer.load(file))
        own = state.pop(OBJECTIVE, {})
        refuse_other_objective(Path(path), self._objective, own, found)
        check_state(file, state, self._task.trained, self._data, self._objective)
        weights, place = checkpointer.load(model_file), self._task.place
        if found:
            self._say_inexact(metadata["conditions"], found)
        elif self.say_when_loaded is not None:
            self._say(self.say_when_loaded)
        return {
            **state,
            "state_dict": {
                **{MODEL_PREFIX + place(name): each for name, each in weights.items()},
                **{OBJECTIVE_PREFIX + name: each for name, each in own.items()},
            },
        }

    def remove_checkpoint(self, path: Any) -> None:
        """Leave it to the folder which steps stay."""
        raise NotImplementedError("`StepFolder` decides which steps stay.")

    def _facts(self, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the manifest says beside the files; no times, so equal content is equal."""
        position = checkpoint[self._data]
        return {
            "kind": "training",
            "progress": {"step": checkpoint[STATE]["step"], **position},
            "versions": self.conditions["versions"],
            **resolve(self._task.spec, self._task.plugins),
        }

    def _say_inexact(self, before: Mapping[str, Any], found: list[str]) -> None:
        if self.say_when_loaded is not None:
            self._say(self.say_when_loaded)
        self._say(f"It goes on otherwise than it would have: {'; '.join(found)}.")
        if before["machine"]["processes"] != self.conditions["machine"]["processes"]:
            self._say(OTHER_PROCESSES)


def _check_metadata(file: Path, metadata: Mapping[str, Any]) -> None:
    """Refuse what this version of the trainer did not write.

    Raises:
        CheckpointError: It is of another format, or of another tool.
    """
    found = metadata.get("format_version")
    if found != FORMAT_VERSION:
        raise CheckpointError(
            f"`{file}` has training format {found!r}; this version reads {FORMAT_VERSION}."
        )
    for key in ("conditions", "state"):
        if not isinstance(metadata.get(key), Mapping):
            raise CheckpointError(
                f"`{file}` has no `{key}`, so `train` did not write it; another `--out` starts a "
                f"new training."
            )


def _refuse_bad(step: int, tensors: Mapping[str, Tensor]) -> None:
    """Refuse to save weights or averages of gradients that are not finite.

    Raises:
        CheckpointError: The message names the first such tensor.
    """
    for name, tensor in tensors.items():
        of_training = name.startswith(
            (MODEL_PREFIX, "state.optimizer_states.", f"state.{OBJECTIVE}.")
        )
        if of_training and tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"Step {step} is not saved, since `{name}` has a NaN or an infinity; the step that "
                f"was saved before is still the newest."
            )
