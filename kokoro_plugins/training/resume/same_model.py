"""Whether what was saved is of the model that is to go on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from kokoro_core.checkpoints import layout as layouts
from kokoro_core.checkpoints.vocoder_tensors import layout_differences
from kokoro_core.contracts import TensorInfo
from kokoro_core.errors import CheckpointError
from kokoro_plugins.training.resume.conditions import ResumeRefused

SHOWN = 8
"""As many tensors are listed, and the rest counted."""

PARTS = ("training_module", "optimizer_states", "lr_schedulers", "callbacks")
"""What the state of a training is made of, beside that of its data."""


def refuse_other_model(
    path: Path,
    here: Mapping[str, TensorInfo],
    found: Mapping[str, TensorInfo],
    changes: Sequence[str],
) -> None:
    """Refuse weights that have no place in the model: nothing makes up for that.

    Args:
        path: The step directory.
        here: The tensors of the model that is to go on.
        found: The saved tensors.
        changes: In words, in which conditions the two differ.

    Raises:
        ResumeRefused: Names, shapes or types differ; the message lists them and the changes.
    """
    lines = layout_differences(here, found)
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
    if any(
        re.match(r"`settings\.(optimizer`|optimizers\.[^`]*type`|rates|freeze)", each)
        for each in changes
    ):
        listed = "\n".join(f"- {each}" for each in changes)
        raise ResumeRefused(
            f"`{path}` has the averages of another optimizer, which no other can use, so that not "
            f"even `--inexact` goes on:\n{listed}\nTrain with the optimizer that it was, or begin "
            f"a new training with another `--out`."
        )


def refuse_other_objective(
    path: Path, objective: nn.Module | None, found: Mapping[str, Tensor], changes: Sequence[str]
) -> None:
    """Refuse to go on with an objective that has other weights than the saved one.

    Args:
        path: The step directory.
        objective: The objective that is to go on; None: the model's own loss.
        found: The saved weights.
        changes: In words, in which conditions the two differ.

    Raises:
        ResumeRefused: Names or shapes differ; the message lists the changes.
    """
    here = {} if objective is None else objective.state_dict()
    shapes = [{name: each.shape for name, each in side.items()} for side in (here, found)]
    if shapes[0] != shapes[1]:
        listed = "\n".join(f"- {each}" for each in changes)
        raise ResumeRefused(
            f"`{path}` has the weights of another objective, so that not even `--inexact` goes on:"
            f"\n{listed}\nTrain for the objective that it was, or begin a new training with "
            f"another `--out`."
        )


def check_state(
    file: Path,
    state: Mapping[str, Any],
    trained: nn.Module,
    data: str,
    objective: nn.Module | None = None,
) -> None:
    """Refuse a state that lacks a part, or averages of gradients for other parameters.

    Args:
        file: Of the state.
        state: What was saved.
        trained: The part of the model that is moved.
        data: What the part of the data is called.
        objective: What is trained for; None: the model's own loss.

    Raises:
        CheckpointError: It does.
    """
    absent = [each for each in (*PARTS, data) if each not in state]
    if absent:
        raise CheckpointError(
            f"`{file}` has no `{'` and no `'.join(absent)}` in its state, so `train` did not write "
            f"it; another `--out` starts a new training."
        )
    here = sum(1 for _ in trained.parameters())
    for optimizer in state["optimizer_states"]:
        if objective is not None:
            continue  # its stages need not move every parameter, and torch compares each group
        parts = [optimizer] if "param_groups" in optimizer else optimizer.values()
        saved = sum(len(group["params"]) for part in parts for group in part["param_groups"])
        if saved != here:
            raise ResumeRefused(
                f"`{file}` has an optimizer of {saved} parameters, and the model has {here}; it "
                f"was saved from another model or by another optimizer. Begin a new training with "
                f"another `--out`."
            )
