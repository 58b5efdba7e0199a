"""What keeps the folder of a training up to date, beside its steps and losses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from kokoro_plugins.training.loop.figures import StepFigures
from kokoro_plugins.training.loop.module import TrainingModule
from kokoro_plugins.training.loop.observer import Observer
from kokoro_plugins.training.output import RECIPE_FILE, write_recipe


@final
class RecipeFile(Observer):
    """Writes the recipe at the end of the first step, so that a start which fails leaves none.

    Args:
        folder: Of the training; it exists.
        recipe: As values that YAML has.
        command: What it is a recipe for.
    """

    def __init__(self, folder: Path, recipe: Mapping[str, Any], command: str = "train") -> None:
        self._command = command
        self._folder = folder
        self._recipe: Mapping[str, Any] | None = recipe

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Write it once."""
        if self._recipe is not None and module.trainer.is_global_zero:
            write_recipe(self._folder / RECIPE_FILE, self._recipe, self._command)
        self._recipe = None


@final
class OutdatedModel(Observer):
    """Removes the model of a training that goes on, once a step makes it an old one.

    Whoever opens the folder is given its model before its steps; the newest step is as good.

    Args:
        path: Of the model.
    """

    def __init__(self, path: Path) -> None:
        self._path: Path | None = path

    def on_step(self, module: TrainingModule, figures: StepFigures) -> None:
        """Remove it once."""
        if self._path is not None and module.trainer.is_global_zero:
            self._path.unlink(missing_ok=True)
        self._path = None
