"""What was saved, read without the code that saved it, and compared to the bit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

FILES = ("model.safetensors", "training.safetensors")


def steps_in(folder: Path) -> dict[int, Path]:
    """Return the step directories of a folder, by step."""
    return {int(each.name.removeprefix("step-")): each for each in sorted(folder.glob("step-*"))}


OF_THE_CLOCK = ("seconds", "content_sha256")
"""Times differ from run to run, and with them the hash of the content."""


def differences(step: Path, other: Path, *, before_validation: bool = False) -> list[str]:
    """Return what differs between two saved steps, wall-clock times left out.

    Args:
        step: A step directory.
        other: Another.
        before_validation: The first one was saved before its validation; leave that out.
    """
    found = [
        f"{file}: {each}" for file in FILES for each in _differences(step / file, other / file)
    ]
    return [each for each in found if not (before_validation and "alidation" in each)]


def validation_is_due(step: Path) -> bool:
    """Whether a step was saved before its validation."""
    values = read(step / FILES[1])
    [due] = [each for name, each in values.items() if name.endswith("callbacks.Validation.due")]
    return bool(due)


def _differences(path: Path, other: Path) -> Iterator[str]:
    one, two = read(path), read(other)
    yield from sorted(one.keys() ^ two.keys())
    yield from (name for name in sorted(one.keys() & two.keys()) if not same(one[name], two[name]))


def same(one: Any, two: Any) -> bool:
    """Whether two values are equal to the bit."""
    if not isinstance(one, torch.Tensor):
        return bool(one == two)
    return bool(
        one.dtype == two.dtype
        and one.shape == two.shape
        and one.numpy().tobytes() == two.numpy().tobytes()
    )


def read(path: Path) -> dict[str, Any]:
    """Return the tensors and the leaves of the metadata, without wall-clock times."""
    with safe_open(path, framework="pt") as file:
        values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = {key: json.loads(text) for key, text in file.metadata().items() if "{" in text}
    values.update(leaves(metadata, "metadata"))
    return {name: each for name, each in values.items() if not name.endswith(OF_THE_CLOCK)}


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the values inside of JSON with their paths."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{path}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from leaves(each, f"{path}.{index}")
    else:
        yield path, value
