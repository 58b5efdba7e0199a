"""Golden keys: the layout of a component's state, recorded so that old checkpoints still load."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from kokoro_core.durable.atomic import atomic_file
from kokoro_core.testing.checks.storage import layout
from kokoro_core.testing.subjects.subject import Subject
from kokoro_core.testing.subjects.tiny import one_line

Golden = Mapping[str, Mapping[str, Any]]
"""By ``slot/type:variant`` the shape and dtype of each name in the state."""


def read_golden(source: Golden | str | Path) -> Golden:
    """Return golden keys, from a file if they are in one.

    Raises:
        ValueError: The file does not exist or is no JSON object of objects.
    """
    if isinstance(source, Mapping):
        return source
    try:
        read = json.loads(Path(source).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"`{source}` does not exist; {_HOW}") from None
    except ValueError as error:
        raise ValueError(f"`{source}` is no JSON ({error}); {_HOW}") from None
    if not isinstance(read, dict) or not all(isinstance(each, dict) for each in read.values()):
        raise ValueError(f"`{source}` must be an object with an object a component; {_HOW}")
    return read


_HOW = (
    "`pytest --conformance-write-golden` or `kokoro-core conformance TARGET --write-golden FILE` "
    "writes it."
)


def golden_of(subjects: Iterable[Subject], golden: Golden) -> dict[str, Mapping[str, Any]]:
    """Return the golden keys of each subject by its name.

    Raises:
        ValueError: They lack a subject, or have a variant that no longer exists.
    """
    names = [each.name for each in subjects if each.slot != "model"]
    components = {name.partition(":")[0] for name in names}
    for name in names:
        if name not in golden:
            raise ValueError(f"the golden keys have nothing for `{name}`; {_HOW}")
    for key in golden:
        if key.partition(":")[0] in components and key not in names:
            raise ValueError(f"the golden keys have `{key}`, which is not a configuration; {_HOW}")
    return {name: golden[name] for name in names}


def write_golden(subjects: Iterable[Subject], path: Path) -> None:
    """Record the state of subjects in a file; other components in it stay.

    The file is replaced atomically, so that concurrent writers do not corrupt it.

    Raises:
        ValueError: The file is there and is no golden file, or a component cannot be built.
        OSError: The file system refuses.
    """
    new = {each.name: _layout_of(each) for each in subjects if isinstance(each, Subject)}
    components = {name.partition(":")[0] for name in new}
    old = read_golden(path) if path.exists() else {}
    kept = {name: each for name, each in old.items() if name.partition(":")[0] not in components}
    lines = [
        f"  {json.dumps(name)}: {_object(each)}" for name, each in sorted({**kept, **new}.items())
    ]
    try:
        with atomic_file(path) as file:
            file.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _layout_of(subject: Subject) -> dict[str, list[Any]]:
    try:
        with torch.device("meta"):
            return layout(subject.built())
    except Exception as error:
        raise ValueError(f"`{subject.name}` cannot be built: {one_line(error)}") from error


def _object(state: Mapping[str, Any]) -> str:
    if not state:
        return "{}"
    lines = [f"    {json.dumps(name)}: {json.dumps(each)}" for name, each in state.items()]
    return "{\n" + ",\n".join(lines) + "\n  }"
