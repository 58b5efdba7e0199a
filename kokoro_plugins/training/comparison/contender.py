"""One side of a comparison: a spec and how it is trained, from what stands on a command line."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from kokoro_core import ModelSpec
from kokoro_plugins.training.settings import OPTIMIZERS, TrainingSettings

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
        names = ("lr", "warmup_steps", "precision", "device", "accumulate", "optimizer", "average")
        of_settings = {name: getattr(self.settings, name) for name in names}
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
        settings = replace(
            common,
            lr=given.lr,
            warmup_steps=given.warmup,
            accumulate=given.accumulate,
            optimizer=given.optimizer,
            average=given.average,
        )
        if given.batch_frames < 1:
            raise ValueError(f"`--batch-frames` must be 1 or more, not {given.batch_frames}.")
    except ValueError as error:
        why = str(error).rstrip(".")
        raise ValueError(
            f"`{text}` is no contender: {why}. Write a spec and, within the same quotes, what "
            f'it is trained with, for example "voice --set hidden_dim=192 --lr 2e-3".'
        ) from None
    spec = read_spec(given.spec, given.set)
    return Contender(" ".join(text.split()), spec, settings, given.batch_frames)


def _parser(common: TrainingSettings, batch_frames: int) -> _Parser:
    parser = _Parser(prog="", add_help=False, allow_abbrev=False)
    parser.add_argument("spec", metavar="SPEC")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--lr", type=float, default=common.lr)
    parser.add_argument("--warmup", type=int, default=common.warmup_steps)
    parser.add_argument("--accumulate", type=int, default=common.accumulate)
    parser.add_argument("--batch-frames", type=int, default=batch_frames)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default=common.optimizer)
    parser.add_argument("--average", type=float, default=common.average)
    return parser
