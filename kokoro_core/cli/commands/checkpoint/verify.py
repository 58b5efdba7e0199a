"""``checkpoint verify``: whether every byte is what was written."""

from __future__ import annotations

from pathlib import Path

import typer

from kokoro_core.checkpoints.locate import checkpointer_for, locate
from kokoro_core.cli.output import print_error, print_json
from kokoro_core.durable import StepFolder
from kokoro_core.durable.manifest import MANIFEST_NAME
from kokoro_core.errors import CheckpointError
from kokoro_core.spec.problems.problem import printable
from registry import Plugins


def verify(path: Path, plugins: Plugins, *, as_json: bool) -> None:
    """Print what is damaged, for each step of a run's folder, or for the one checkpoint.

    Raises:
        Exit: Something is damaged.
    """
    problems = {str(each): _problem(each, plugins) for each in _checkpoints(path)}
    if as_json:
        found = [
            {"path": each, "ok": problem is None, "problem": problem}
            for each, problem in problems.items()
        ]
        print_json(found)
    else:
        for each, problem in problems.items():
            if problem is None:
                print(printable(f"{each}: ok"))
            else:
                print_error(problem)
    if any(problems.values()):
        raise typer.Exit(1)


def _checkpoints(path: Path) -> list[Path]:
    """Return the step directories of a run's folder, or the path itself."""
    if path.is_dir() and not (path / MANIFEST_NAME).exists():
        steps = StepFolder(path).steps()
        if steps:
            return [each.path for each in steps]
    return [path]


def _problem(path: Path, plugins: Plugins) -> str | None:
    """Return what is wrong with a checkpoint, or None."""
    try:
        located = locate(path, plugins)
        if located.step is not None:
            located.step.verify()
        with checkpointer_for(located.path, plugins).open(located.path) as found:
            if located.step is None:
                found.verify()
    except CheckpointError as error:
        return str(error)
    return None
