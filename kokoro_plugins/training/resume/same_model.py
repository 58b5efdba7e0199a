"""Whether what was saved is of the model that is to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kokoro_core import KokoroModel
from kokoro_core.checkpoints import layout as layouts
from kokoro_core.checkpoints.store import layout_of
from kokoro_core.contracts import TensorInfo
from kokoro_core.errors import CheckpointError
from kokoro_core.model import AcousticModel
from kokoro_plugins.training.resume.conditions import ResumeRefused

SHOWN = 8
"""As many tensors are listed, and the rest counted."""

PARTS = ("training_module", "optimizer_states", "lr_schedulers", "callbacks", "AlignedSpeech")
"""What the state of a training is made of."""


def refuse_other_model(
    path: Path, model: AcousticModel, found: Mapping[str, TensorInfo], changes: Sequence[str]
) -> None:
    """Refuse weights that have no place in the model: nothing makes up for that.

    Args:
        path: The step directory.
        model: The model that is to go on.
        found: The saved tensors.
        changes: In words, in which conditions the two differ.

    Raises:
        ResumeRefused: Names, shapes or types differ; the message lists them and the changes.
    """
    here = layout_of(model)
    lines = layouts.differences(here, found)
    types = [layouts.floating_type(each) for each in (here, found)]
    if types[0] != types[1]:
        lines.append(f"the weights are in {types[1]}, and the model is in {types[0]}")
    if not lines:
        return
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    listed = "\n".join(f"- {each}" for each in [*changes, *lines[:SHOWN], *more])
    raise ResumeRefused(
        f"`{path}` is of another model, so that its weights have no place in this one and not even "
        f"`--inexact` goes on:\n{listed}\nTrain the model that it was, or begin a new training "
        f"with another `--out`."
    )


def refuse_other_optimizer(path: Path, changes: Sequence[str]) -> None:
    """Refuse to hand one optimizer what another has averaged.

    Args:
        path: The step directory.
        changes: In words, in which conditions the two differ.

    Raises:
        ResumeRefused: The optimizer is among them.
    """
    if any(each.startswith("`settings.optimizer`") for each in changes):
        listed = "\n".join(f"- {each}" for each in changes)
        raise ResumeRefused(
            f"`{path}` has the averages of another optimizer, which no other can use, so that not "
            f"even `--inexact` goes on:\n{listed}\nTrain with the optimizer that it was, or begin "
            f"a new training with another `--out`."
        )


def check_state(file: Path, state: Mapping[str, Any], model: KokoroModel) -> None:
    """Refuse a state that lacks a part, or averages of gradients for other parameters.

    Raises:
        CheckpointError: It does.
    """
    absent = [each for each in PARTS if each not in state]
    if absent:
        raise CheckpointError(
            f"`{file}` has no `{'` and no `'.join(absent)}` in its state, so `train` did not write "
            f"it; another `--out` starts a new training."
        )
    here = sum(1 for _ in model.parameters())
    for optimizer in state["optimizer_states"]:
        saved = sum(len(group["params"]) for group in optimizer["param_groups"])
        if saved != here:
            raise ResumeRefused(
                f"`{file}` has an optimizer of {saved} parameters, and the model has {here}; it "
                f"was saved from another model or by another optimizer. Begin a new training with "
                f"another `--out`."
            )
