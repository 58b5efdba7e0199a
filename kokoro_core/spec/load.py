"""`load_spec`: from a file, a name, a mapping or a `ModelSpec` to a `ModelSpec` that is right."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from kokoro_core.params.component_failure import ComponentFailure, raised
from kokoro_core.params.sizes import MAX_PARAMETERS
from kokoro_core.spec.arguments import check_count, check_overrides, described, plugins_of
from kokoro_core.spec.check import check
from kokoro_core.spec.naming import is_named_spec
from kokoro_core.spec.rules.dimensions import solve_dimensions
from kokoro_core.spec.rules.limits import refuse_excess
from kokoro_core.spec.text.bounds import MAX_BYTES
from kokoro_core.spec.text.document import Document, from_mapping
from kokoro_core.spec.text.overrides import Override, apply_overrides, overrides_from_mapping
from kokoro_core.spec.text.parse import parse
from kokoro_core.spec.tree.dump import dump
from kokoro_core.spec.tree.model_spec import ModelSpec
from registry import NamedSpec, Plugins
from registry.errors import UnknownNamedSpec

Source = str | os.PathLike[str] | Mapping[str, Any] | ModelSpec

_SUFFIXES = (".yaml", ".yml", ".json")


def load_spec(
    source: Source,
    *,
    overrides: Mapping[str, Any] | None = None,
    plugins: Plugins | None = None,
    max_parameters: int = MAX_PARAMETERS,
) -> ModelSpec:
    """Return a checked spec with its widths solved.

    Args:
        source: A path (with a separator or the suffix .yaml, .yml or .json, or of a file that
            exists), the name of a spec that a plugin ships (``name`` or ``plugin/name``), a
            mapping, or a `ModelSpec`.
        overrides: Dotted paths with new values, applied before anything is checked.
        plugins: Where components and named specs come from; None: the installed plugins.
        max_parameters: A model with more parameters is refused, before anything is allocated.

    Raises:
        SpecError: The spec has problems; the error has all of them, each with its place.
        FileNotFoundError: The path leads to no file.
        UnknownNamedSpec: No plugin ships a spec of that name.
        TypeError: An argument is of another type.
        ValueError: `max_parameters` is below 1.
    """
    check_overrides(overrides)
    check_count("max_parameters", max_parameters)
    changes = overrides_from_mapping(overrides or {})
    return load(source, changes, plugins, max_parameters)


def load(
    source: Source,
    overrides: Sequence[Override] = (),
    plugins: Plugins | None = None,
    max_parameters: int = MAX_PARAMETERS,
    note: Callable[[str], None] | None = None,
) -> ModelSpec:
    """Do what `load_spec` does, with overrides that know how the user wrote them.

    Args:
        source: Like that of `load_spec`.
        overrides: Applied before anything is checked.
        plugins: Where components and named specs come from; None: the installed plugins.
        max_parameters: A model with more parameters is refused.
        note: Is told what else the overrides changed, a line a call; None: no one is.

    Raises:
        SpecError: The spec has problems.
        FileNotFoundError: The path leads to no file.
        UnknownNamedSpec: No plugin ships a spec of that name.
    """
    plugins = plugins_of(plugins)
    if isinstance(source, ModelSpec) and not overrides:
        solved = solve_dimensions(source)
        refuse_excess(solved, max_parameters)
        return solved
    document = apply_overrides(read_document(source, plugins), overrides, plugins.components)
    if note is not None:
        for line in document.notes:
            note(line)
    return check(document, plugins, max_parameters)


def read_document(source: Source, plugins: Plugins) -> Document:
    """Return the document behind a source, not yet checked.

    Raises:
        SpecError: The text cannot be read as YAML.
        FileNotFoundError: The path leads to no file.
        UnknownNamedSpec: No plugin ships a spec of that name.
    """
    if isinstance(source, ModelSpec):
        return from_mapping(dump(source, plugins.components, only_set=True), "<ModelSpec>")
    if isinstance(source, Mapping):
        return from_mapping(source)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            f"`source` must be a named spec, a path, a mapping or a `ModelSpec`, "
            f"not {described(source)}."
        )
    if not isinstance(source, str) or (_is_path(source) and not _is_qualified(source, plugins)):
        return _read_file(FilePath(source))
    try:
        named = plugins.named_spec(source)
    except UnknownNamedSpec:
        if source and os.path.lexists(source):  # a folder, or what is no regular file
            return _read_file(FilePath(source))
        raise
    return parse(read_named(named), source)


def read_named(named: NamedSpec) -> bytes:
    """Return the text of a spec that a plugin ships.

    Raises:
        ComponentFailure: The plugin's file cannot be read.
    """
    try:
        return named.file.read_bytes()
    except Exception as error:  # the file may be an object of the plugin's own
        raise ComponentFailure(
            (), f"the plugin '{named.plugin}'", f"{raised(error)} when '{named.name}' was read"
        ) from error


def _is_path(source: str) -> bool:
    has_separator = any(each in source for each in (os.sep, os.altsep) if each)
    return has_separator or source.lower().endswith(_SUFFIXES) or os.path.isfile(source)


def _is_qualified(source: str, plugins: Plugins) -> bool:
    """Return whether this is ``plugin/name`` of a named spec and no file of its own."""
    return is_named_spec(source, plugins) and "/" in source and not os.path.isfile(source)


def _read_file(path: FilePath) -> Document:
    return parse(read_file(path), str(path))


def read_file(path: FilePath) -> bytes:
    """Return the content of a regular file, as much of it as a spec may have and one byte more.

    Raises:
        OSError: It is a directory, a pipe, or not there.
    """
    if path.is_dir():
        raise IsADirectoryError(f"`{path}` is a directory; {_remedy_for(path)}.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no spec file `{path}`{_what_is_there(path)}.")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _what_is_there(path: FilePath) -> str:
    """Return what else there is at a path, or nothing."""
    if path.exists():
        return ": it is a pipe or a device; write the spec to a file first"
    return ": it is a link that leads nowhere" if path.is_symlink() else ""


def _remedy_for(folder: FilePath) -> str:
    """Return what to do with a directory in place of a spec."""
    if any(folder.glob("model.*")) or (folder / "steps").is_dir():
        return (
            "it holds a model, which `kokoro-core checkpoint inspect` and `synthesize` take, and "
            "no spec"
        )
    found = sorted(each.name for each in folder.iterdir() if each.suffix in _SUFFIXES)
    return f"give the spec file in it{f', `{folder / found[0]}` perhaps' if found else ''}"
