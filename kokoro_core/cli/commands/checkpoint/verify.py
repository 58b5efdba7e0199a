"""``checkpoint verify``: whether every byte is as written."""

from __future__ import annotations

from pathlib import Path

import typer

from kokoro_core.checkpoints.locate import locate, open_checkpoint, suffixes
from kokoro_core.cli.output import print_error, print_json
from kokoro_core.durable import StepFolder
from kokoro_core.durable.manifest import MANIFEST_NAME
from kokoro_core.errors import CheckpointError
from registry import Plugins
from registry.text import printable


def verify(path: Path, plugins: Plugins, *, as_json: bool) -> None:
    """Print what is damaged in each step of a run's folder, or in a single checkpoint.

    Raises:
        Exit: Something is damaged.
    """
    problems = {str(each): _problem(each, plugins) for each in _checkpoints(path, plugins)}
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


def _checkpoints(path: Path, plugins: Plugins) -> list[Path]:
    """Return the step directories of a run's folder and its model, or the path itself."""
    if not path.is_dir() or (path / MANIFEST_NAME).exists():
        return [path]
    inner = path / "steps"
    steps = [each.path for each in StepFolder(inner if inner.is_dir() else path).steps()]
    has_model = any(each.name.endswith(tuple(suffixes(plugins))) for each in path.iterdir())
    return [path, *steps] if has_model or not steps else steps


def _problem(path: Path, plugins: Plugins) -> str | None:
    """Return what is wrong with a checkpoint, or None."""
    try:
        step = locate(path, plugins).step
        if step is not None:
            step.verify()
        with open_checkpoint(path, plugins, verify=False) as opened:
            if step is None:
                opened.content.verify()
    except CheckpointError as error:
        return str(error)
    return None
