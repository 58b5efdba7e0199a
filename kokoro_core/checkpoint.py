"""What a checkpoint says of itself, and the strict way from a file back to a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kokoro_core.assembly import assemble
from kokoro_core.model import AcousticModel
from kokoro_core.outer_contracts import Checkpointer, CheckpointError
from kokoro_core.slots import CHECKPOINTER
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.migrations import migrate
from kokoro_core.spec.model_spec import ModelSpec
from kokoro_core.spec.problems import SpecError
from kokoro_core.spec.resolve import resolve
from registry import Plugins

FORMAT_VERSION = 1


def checkpointer_for(path: Path, plugins: Plugins) -> Checkpointer:
    """Return the checkpointer that handles files with the suffix of a path.

    Raises:
        CheckpointError: No plugin handles the suffix, or more than one does.
    """
    handled: dict[str, list[str]] = {}
    for name in plugins.components.names(CHECKPOINTER.name):
        for suffix in plugins.components.get(CHECKPOINTER, name).suffixes:
            handled.setdefault(suffix, []).append(name)
    names = handled.get(path.suffix, [])
    if len(names) != 1:
        who = f"more than one checkpointer ({', '.join(names)})" if names else "no checkpointer"
        raise CheckpointError(
            f"`{path}` has a suffix that {who} handles; "
            f"use one of {', '.join(sorted(handled)) or 'none, no checkpointer is installed'}."
        )
    params = plugins.components.get(CHECKPOINTER, names[0])
    return params.model_validate({"type": params.component_name}).build()


def save(path: Path, model: AcousticModel, spec: ModelSpec, plugins: Plugins) -> None:
    """Write a model with the spec that rebuilds it.

    Raises:
        CheckpointError: No checkpointer handles the suffix of the path.
    """
    metadata = {"format_version": FORMAT_VERSION, **resolve(spec, plugins)}
    checkpointer_for(path, plugins).save(path, model.state_dict(), metadata)


def load(path: Path, plugins: Plugins, device: str = "cpu") -> tuple[ModelSpec, AcousticModel]:
    """Rebuild a model from a file alone, strictly.

    Nothing is initialised that the file brings, so the weights exist once.

    Raises:
        CheckpointError: The file is missing, is not a checkpoint, or its tensors are not exactly
            those of the model that its spec describes.
        SpecError: The spec inside needs components that are not installed.
    """
    checkpointer = checkpointer_for(path, plugins)
    metadata = checkpointer.read_metadata(path)
    spec = _spec_inside(path, metadata, plugins)
    model = assemble(spec, initialise=False)
    tensors = checkpointer.load(path, device)
    _check_tensors(path, model.state_dict(), tensors)
    _check_dtypes(path, model.state_dict(), tensors)
    model.load_state_dict(dict(tensors), strict=True, assign=True)
    return spec, _on_device(path, model, device)


def _spec_inside(path: Path, metadata: Mapping[str, Any], plugins: Plugins) -> ModelSpec:
    """Return the spec that the file holds; it is a mapping and never the name of another file."""
    version, spec = metadata.get("format_version"), metadata.get("spec")
    if type(version) is not int or version != FORMAT_VERSION:
        raise CheckpointError(
            f"`{path}` has checkpoint format {version!r}; this version reads {FORMAT_VERSION}."
        )
    if not isinstance(spec, Mapping):
        raise CheckpointError(
            f"`{path}` must hold its spec as a mapping, not {type(spec).__name__}; "
            f"it was not written by `KokoroModel.save`."
        )
    try:
        return load_spec(migrate(dict(spec), plugins).value, plugins=plugins)
    except SpecError as error:
        raise SpecError(replace(each, source=str(path)) for each in error.problems) from None


def _check_dtypes(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Refuse tensors of another kind than the model's, and floating types that are mixed."""
    for name, tensor in found.items():
        if tensor.dtype.is_floating_point != expected[name].dtype.is_floating_point:
            raise CheckpointError(
                f"`{path}` does not fit the model that its spec describes: "
                f"`{name}` is {tensor.dtype}, not {expected[name].dtype}."
            )
    dtypes = {str(each.dtype) for each in found.values() if each.dtype.is_floating_point}
    if len(dtypes) > 1:
        raise CheckpointError(
            f"`{path}` mixes {' and '.join(sorted(dtypes))}; a model has one floating type."
        )


def _check_tensors(path: Path, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Refuse a file whose tensors are not exactly the model's; list the first differences."""
    differences = [f"`{name}` is missing" for name in expected if name not in found]
    differences += [f"`{name}` is not in the model" for name in found if name not in expected]
    differences += [
        f"`{name}` is {tuple(found[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    if differences:
        more = f" and {len(differences) - 5} more" if len(differences) > 5 else ""
        raise CheckpointError(
            f"`{path}` does not fit the model that its spec describes: "
            f"{'; '.join(differences[:5])}{more}."
        )


def _on_device(path: Path, model: AcousticModel, device: str) -> AcousticModel:
    """Give the buffers that no file holds the weights' place and type; nothing is without value."""
    floating = next((p.dtype for p in model.parameters() if p.dtype.is_floating_point), None)
    model.to(device=torch.device(device), dtype=floating)
    tensors: dict[str, Any] = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    unset = [name for name, tensor in tensors.items() if tensor.is_meta]
    if unset:
        raise CheckpointError(
            f"`{path}` leaves {', '.join(unset)} without a value; a component must compute its "
            f"buffers in `__init__`."
        )
    return model
