"""What is refused before a training reads its data or makes anything."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from kokoro_core import ModelSpec
from kokoro_core.durable import StepFolder
from kokoro_core.spec.rules.side_inputs import refusal_of_side_inputs
from kokoro_plugins.training.resume.resuming import is_first_process
from kokoro_plugins.training.resume.step_files import MODEL_FILE
from kokoro_plugins.training.settings import TrainOptions

FILES = (MODEL_FILE, "losses.json", "losses.jsonl")
"""What a training writes into its folder, beside the steps."""


def refuse_spec(spec: ModelSpec) -> None:
    """Refuse a spec that no corpus can feed.

    Raises:
        ValueError: It has no audio or no frontend, or a part needs side inputs.
    """
    if spec.audio is None or spec.frontend is None:
        raise ValueError(
            f"The spec `{spec.name}` has no `audio` or no `frontend`; training reads recordings "
            f"and phonemes, which needs both."
        )
    if refusal := refusal_of_side_inputs(spec):
        raise ValueError(f"{refusal}.")


def refuse_checkpoint(spec: str, suffixes: Collection[str]) -> None:
    """Refuse a checkpoint where a spec belongs, and say how its training goes on.

    Args:
        spec: What was given.
        suffixes: Of checkpoints.

    Raises:
        ValueError: It is a checkpoint, a step directory or the folder of a training.
    """
    path = Path(spec)
    is_file = path.is_file() and path.name.endswith(tuple(suffixes))
    inside = (MODEL_FILE, "steps") if path.name != "steps" else ("",)
    is_folder = path.is_dir() and any((path / name).exists() for name in inside)
    if not is_file and not is_folder:
        return
    steps = [each for each in (path, *path.absolute().parents) if each.name == "steps"]
    out = steps[0].parent if steps else path.parent if is_file else path
    raise ValueError(
        f"`{spec}` is a checkpoint; `train` takes the spec that the training began with. The "
        f"training that wrote it goes on with the same command as before and `--out {out} "
        f"--resume`."
    )


def refuse_to_overwrite(options: TrainOptions) -> None:
    """Refuse a folder that holds a training, unless it is to go on, or that is none.

    Raises:
        ValueError: It does, or is not.
        CheckpointError: Its steps cannot be listed.
    """
    for each in (options.out, *options.out.parents):
        if os.path.lexists(each) and not each.is_dir():
            raise ValueError(f"`--out {options.out}` must be a folder, but `{each}` is a file.")
    for name in FILES:
        if (options.out / name).is_dir():
            raise ValueError(
                f"`{options.out / name}` is a folder, where training writes a file at its end; "
                f"another `--out` has room."
            )
    if options.resume or not is_first_process():
        return
    model = options.out / MODEL_FILE
    steps = StepFolder(options.saving.folder).steps()
    there = ["steps"] * bool(steps) + [model.name] * os.path.lexists(model)
    if there:
        raise ValueError(
            f"`{options.out}` holds a training already (`{there[0]}`); `--resume` goes on "
            f"with it, and another `--out` starts a new one."
        )
