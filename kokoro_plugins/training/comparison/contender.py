"""One side of a comparison: a spec and how it is trained, from what stands on a command line."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, get_type_hints

from kokoro_core import ModelSpec
from kokoro_plugins.training.settings import OPTIMIZERS, TrainingSettings, flag_of

NOT_DECISIVE = ("validate_every", "devices", "skip_bad_steps")
"""Settings that do not decide how good a contender is; comparisons do not change them."""

OF_ALL = ("precision", "device")
"""Settings that all contenders share."""

SpecReader = Callable[[str, list[str]], ModelSpec]
"""Reads the spec of a source, with overrides."""


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
        of_settings = {n: each for n, each in vars(self.settings).items() if n not in NOT_DECISIVE}
        return {**of_settings, "batch_frames": self.batch_frames}


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would print and exit."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def read_contenders(
    texts: Sequence[str], common: TrainingSettings, batch_frames: int, read_spec: SpecReader
) -> list[Contender]:
    """Return contenders, each from a text such as ``"voice --set hidden_dim=192 --lr 2e-3"``.

    Args:
        texts: Each a spec and what it is trained with, as `train` takes it.
        common: Holds where a text says nothing.
        batch_frames: Likewise.
        read_spec: Reads the spec of a source, with overrides.

    Raises:
        ValueError: A text cannot be read, or two are the same.
        SpecError: A spec has problems.
    """
    labels = [" ".join(each.split()) for each in texts]
    if len(set(labels)) < len(labels):
        twice = next(each for each in labels if labels.count(each) > 1)
        raise ValueError(f"`{twice}` stands twice; each contender must differ from the others.")
    return [_read(each, common, batch_frames, read_spec) for each in texts]


def _read(
    text: str, common: TrainingSettings, batch_frames: int, read_spec: SpecReader
) -> Contender:
    try:
        given = _parser(common, batch_frames).parse_args(shlex.split(text))
        settings = replace(common, **{name: getattr(given, name) for name in _own_settings()})
        if given.batch_frames < 1:
            raise ValueError(f"`--batch-frames` must be 1 or more, not {given.batch_frames}.")
    except ValueError as error:
        why = str(error).rstrip(".")
        raise ValueError(
            f"`{text}` is not a contender: {why}. Write a spec and, within the same quotes, what "
            f'it is trained with, for example "voice --set hidden_dim=192 --lr 2e-3".'
        ) from None
    spec = read_spec(given.spec, given.set)
    return Contender(" ".join(text.split()), spec, settings, given.batch_frames)


def _parser(common: TrainingSettings, batch_frames: int) -> _Parser:
    parser = _Parser(prog="", add_help=False, allow_abbrev=False)
    parser.add_argument("spec", metavar="SPEC")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--batch-frames", type=int, default=batch_frames)
    for name, hint in _own_settings().items():
        default = getattr(common, name)
        parser.add_argument(
            flag_of(name, hint),
            dest=name,
            type=type(default),
            choices=OPTIMIZERS if name == "optimizer" else None,
            default=default,
        )
    return parser


def _own_settings() -> dict[str, Any]:
    """Return the annotation of each setting that a contender may have for itself."""
    hints = get_type_hints(TrainingSettings, include_extras=True)
    return {name: hint for name, hint in hints.items() if name not in (*NOT_DECISIVE, *OF_ALL)}
