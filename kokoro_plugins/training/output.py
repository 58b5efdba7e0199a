"""Files that are made for people and for programs."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from kokoro_core.cli.output import write_file, write_yaml

MODEL_FILE = "model.safetensors"
"""The model with its spec, as `KokoroModel.save` writes it."""

RECIPE_FILE = "recipe.yaml"
"""What a training writes into its folder as its recipe, and goes on from."""

HEAD = "# What this training was made by; `kokoro-core {} --recipe` makes another like it.\n"


def plain_console() -> Console:
    """Return a console that prints paths and labels as they are: ``[/x]`` is a name, not markup."""
    return Console(markup=False, emoji=False)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON; NaN and infinity are refused, since JSON has neither."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_recipe(path: Path, recipe: Mapping[str, Any], command: str = "train") -> None:
    """Write the recipe of a training."""
    text = io.StringIO()
    write_yaml(dict(recipe), text)
    write_file(path, HEAD.format(command) + text.getvalue())
