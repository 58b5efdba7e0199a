"""What is refused before a training reads its data or makes anything."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from kokoro_core import ModelSpec
from kokoro_core.durable import StepFolder
from kokoro_core.spec.problems.violation import RuleViolation
from kokoro_core.spec.rules.intake import given_features
from kokoro_core.spec.rules.side_inputs import refusal_of_side_inputs
from kokoro_core.spec.rules.wiring import path_of_part
from kokoro_plugins.training.data.unfit import UnfitCorpus
from kokoro_plugins.training.output import MODEL_FILE, RECIPE_FILE
from kokoro_plugins.training.processes.group import is_first_process
from kokoro_plugins.training.settings import Saving

FILES = ("losses.json", "losses.jsonl", RECIPE_FILE)
"""What a training writes into its folder, beside the steps and what it comes to."""

LOGS = "logs"
"""The folder in it with one for each logger."""


def refuse_spec(spec: ModelSpec, label: str | None = None) -> None:
    """Refuse a spec that no corpus can feed.

    Args:
        spec: It is to be trained.
        label: What it is called in the message; without it its name.

    Raises:
        ValueError: It has no audio or no frontend.
        UnfitCorpus: A part needs side inputs.
    """
    if spec.audio is None or spec.frontend is None:
        subject = f"The spec `{spec.name}`" if label is None else f"`{label}`"
        raise ValueError(
            f"{subject} has no `audio` or no `frontend`; training reads recordings and phonemes, "
            f"which needs both."
        )
    if refusal := refusal_of_side_inputs(spec):
        takers = (place for place, _, form in given_features(spec) if form is None)
        where = next(map(path_of_part, takers), ())
        raise UnfitCorpus(spec, [RuleViolation("corpus-without-feature", where, f"{refusal}.")])


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


def refuse_out(out: Path, files: Collection[str], folders: Collection[str] = ()) -> None:
    """Refuse a folder that results cannot be written to, before there are any.

    Args:
        out: What `--out` gave.
        files: What is written into it.
        folders: Folders that are made in it.

    Raises:
        ValueError: It is not a folder, or a folder stands where a file belongs, or the reverse.
    """
    for each in (out, *out.parents):
        if os.path.lexists(each) and not each.is_dir():
            raise ValueError(f"`--out {out}` must be a folder, but `{each}` is a file.")
    for name in (*files, *folders):
        path = out / name
        is_wrong = path.is_dir() if name in files else os.path.lexists(path) and not path.is_dir()
        if is_wrong:
            there, wanted = ("folder", "file") if name in files else ("file", "folder")
            raise ValueError(
                f"`{path}` is a {there}, where training writes a {wanted} at its end; another "
                f"`--out` has room."
            )


def default_out(name: str) -> Path:
    """Return the folder of a training that none was given for.

    A name stands in a file that may be a stranger's, so it must not lead elsewhere.

    Args:
        name: Of the spec.

    Raises:
        ValueError: A folder cannot have that name.
    """
    if name in (".", "..") or not name.isprintable() or any(each in name for each in "/\\:"):
        raise ValueError(
            f"The spec's name {name!r} cannot be that of a folder in `runs`; give the folder to "
            f"write with `--out`."
        )
    return Path("runs") / name


def refuse_holdout(holdout: int, sentences: int) -> None:
    """Refuse to hold out every sentence of a corpus, before it is made.

    Raises:
        ValueError: None would be trained on.
    """
    if holdout >= sentences:
        raise ValueError(
            f"`--holdout {holdout}` of `--sentences {sentences}` leaves none to train on; hold "
            f"out {sentences - 1} or fewer."
        )


def refuse_to_overwrite(
    out: Path, saving: Saving, result: str = MODEL_FILE, loggers: Collection[str] = ()
) -> None:
    """Refuse a folder that holds a training, unless it is to go on, or that is none.

    Args:
        out: The folder.
        saving: Where in it steps are, and whether the training goes on.
        result: The file that a training comes to.
        loggers: Those that write to it.

    Raises:
        ValueError: It does, or is not.
        CheckpointError: Its steps cannot be listed.
    """
    refuse_out(out, (result, *FILES))
    if not is_first_process():
        return
    model = out / result
    steps = StepFolder(saving.folder).steps()
    if saving.resume:
        if not steps and os.path.lexists(model):
            raise ValueError(
                f"`{model}` is there, but no step that `--resume` could go on from; it would be "
                f"replaced by a new training, so give that another `--out`."
            )
        return
    logs = [f"{LOGS}/{each}" for each in loggers if (out / LOGS / each).exists()]
    there = ["steps"] * bool(steps) + [model.name] * os.path.lexists(model) + logs
    if there:
        raise ValueError(
            f"`{out}` holds a training already (`{there[0]}`); `--resume` goes on "
            f"with it, and another `--out` starts a new one."
        )
