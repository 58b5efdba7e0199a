"""One side of a comparison: a spec and how it is trained, from what stands on a command line."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from kokoro_core import ModelSpec, SpecError
from kokoro_core.cli.from_settings import flag_of
from kokoro_plugins.training.settings import TrainingSettings, plain

NOT_DECISIVE = ("validate_every", "devices", "nodes", "skip_bad_steps")
"""Settings that do not decide how good a contender is; comparisons do not change them."""

OF_A_RECIPE = ("loss_schedule", "optimizers", "schedules", "objective", "freeze", "rates")
"""Settings without an option of their own; where they are empty a contender's recipe lacks them."""

COMPONENTS = ("optimizer", "schedule", "objective")
"""Options that take a component, by their keys in a recipe."""

OF_ALL = ("precision", "device")
"""Settings that all contenders share."""


@dataclass(frozen=True)
class ContenderText:
    """What stands within the quotes of a contender.

    Attributes:
        spec: A source; None: the recipe has it.
        recipe: A file.
        sets: Changes of the spec, such as ``hidden_dim=192``.
        options: Values by the names of the fields of `TrainingSettings`, and `batch_frames`.
        components: Texts such as ``muon``, by their keys in a recipe.
    """

    spec: str | None
    recipe: Path | None
    sets: list[str]
    options: dict[str, Any]
    components: dict[str, str]


Reader = Callable[[ContenderText], tuple[ModelSpec, dict[str, Any]]]
"""Reads a text: its spec, and fields of `TrainingSettings` with `batch_frames`, as far as given."""


@dataclass(frozen=True)
class Contender:
    """A spec and how it is trained.

    Attributes:
        label: What it was called on the command line.
        spec: With its overrides.
        settings: How it is trained.
        batch_frames: The most frames of a batch.
    """

    label: str
    spec: ModelSpec
    settings: TrainingSettings
    batch_frames: int

    def recipe(self) -> dict[str, object]:
        """Return what decides its training besides the spec, as values that JSON has."""
        of_settings = {
            name: plain(each)
            for name, each in vars(self.settings).items()
            if name not in NOT_DECISIVE and not (name in OF_A_RECIPE and each in ({}, None, ()))
        }
        return {**of_settings, "batch_frames": self.batch_frames}


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print and exit."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def read_contenders(
    texts: Sequence[str], common: TrainingSettings, batch_frames: int, read: Reader
) -> list[Contender]:
    """Return contenders, each from a text such as ``"voice --set hidden_dim=192 --lr 2e-3"``.

    Args:
        texts: Each a spec and what it is trained with, as `train` takes it.
        common: Holds where a text says nothing.
        batch_frames: Likewise.
        read: Reads what a text says.

    Raises:
        ValueError: A text cannot be read, or two are the same.
        SpecError: A spec or a recipe has problems.
    """
    labels = [" ".join(each.split()) for each in texts]
    if len(set(labels)) < len(labels):
        twice = next(each for each in labels if labels.count(each) > 1)
        raise ValueError(f"`{twice}` stands twice; each contender must differ from the others.")
    return [_read(each, common, batch_frames, read) for each in texts]


def _read(text: str, common: TrainingSettings, batch_frames: int, read: Reader) -> Contender:
    try:
        spec, fields = read(_parsed(text))
        frames = fields.pop("batch_frames", batch_frames)
        settings = replace(common, **fields)
    except SpecError:
        raise
    except ValueError as error:
        why = str(error).rstrip(".")
        raise ValueError(
            f"`{text}` is not a contender: {why}. Write a spec and, within the same quotes, what "
            f'it is trained with, for example "voice --set hidden_dim=192 --lr 2e-3".'
        ) from None
    return Contender(" ".join(text.split()), spec, settings, frames)


def _parsed(text: str) -> ContenderText:
    given = vars(_parser().parse_args(shlex.split(text)))
    spec, recipe, sets = (given.pop(name) for name in ("spec", "recipe", "set"))
    if spec is None and recipe is None:
        raise ValueError("the following arguments are required: SPEC")
    components = {name: given.pop(name) for name in COMPONENTS if name in given}
    return ContenderText(spec, recipe, sets, given, components)


def _parser() -> _Parser:
    parser = _Parser(
        prog="", add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS
    )
    parser.add_argument("spec", metavar="SPEC", nargs="?", default=None)
    parser.add_argument("--recipe", type=Path, default=None)
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--batch-frames", type=int)
    for name in COMPONENTS:
        parser.add_argument(f"--{name}")
    for name, hint in _own_settings().items():
        flags = [flag_of(name, hint)]
        if name == "average":
            flags.append("--average")  # what it was called at first
        parser.add_argument(*flags, dest=name, type=type(getattr(TrainingSettings, name)))
    return parser


def _own_settings() -> dict[str, Any]:
    """Return the annotation of each option that a contender may have for itself."""
    hints = get_type_hints(TrainingSettings, include_extras=True)
    return {
        name: hint
        for name, hint in hints.items()
        if name not in (*NOT_DECISIVE, *OF_ALL, *OF_A_RECIPE, "optimizer")
    }
