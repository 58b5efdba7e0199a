"""What a checkpoint says of itself, and the strict way from a file back to a model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from kokoro_core.checkpoints.adapt import Adapt, Adaptation
from kokoro_core.checkpoints.layout import CheckpointMismatch, differences, floating_type
from kokoro_core.checkpoints.locate import OpenModel, checkpointer_for, open_checkpoint
from kokoro_core.checkpoints.recorded import with_recorded
from kokoro_core.checkpoints.savable import check_savable, layout_of
from kokoro_core.checkpoints.values import check_finite, on_device
from kokoro_core.errors import CheckpointError
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.assembly import assemble
from kokoro_core.spec.arguments import described
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError
from kokoro_core.spec.text.migrations import migrate
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.diff import diff_specs
from kokoro_core.tensors.compiled import original_name, original_state
from registry import Plugins

__all__ = [
    "FORMAT_VERSION",
    "check_savable",
    "checkpointer_for",
    "layout_of",
    "load",
    "load_weights",
    "save",
    "spec_inside",
]

FORMAT_VERSION = 1

_AROUND_THE_MODEL = {"name", "loss", "gradient_checkpointing", "frontend", "vocoder", "plugins"}
"""Settings that change nothing of what the weights mean."""


def save(
    path: Path,
    model: AcousticModel,
    spec: ModelSpec,
    plugins: Plugins,
    *,
    max_shard_bytes: int | None = None,
) -> None:
    """Write a model with the spec that rebuilds it.

    Raises:
        CheckpointError: Nobody could load it, as `check_savable` finds or because a weight is not
            finite, or the disk refuses.
    """
    metadata = {"format_version": FORMAT_VERSION, **check_savable(path, model, spec, plugins)}
    tensors = original_state(model)
    check_finite(f"`{path}` was not written", tensors, _parameter_names(model))
    checkpointer = checkpointer_for(path, plugins)
    checkpointer.save(path, tensors, metadata, max_shard_bytes=max_shard_bytes)


def load(
    path: Path,
    plugins: Plugins,
    device: str = "cpu",
    *,
    verify: bool = True,
    adapt: Adapt | None = None,
) -> tuple[ModelSpec, AcousticModel, Adaptation | None]:
    """Rebuild a model from a checkpoint alone, strictly, or adapt it to another.

    Nothing is initialised that the checkpoint brings, so the weights exist once.

    Args:
        path: A file, an index of several, a step directory, or a folder with one of them.
        plugins: Where components come from.
        device: Where the model goes.
        verify: Compare everything with the content hash.
        adapt: How the model is to differ; None: not at all.

    Raises:
        CheckpointError: The checkpoint is missing, damaged or none, or its tensors are not exactly
            those of the model that its spec describes.
        SpecError: The spec inside needs components that are not installed.
        TypeError: `adapt` is something else.
        ValueError: The device is none, or not on this machine.
    """
    check_device(device)  # a name that is no device is not the file's fault
    if adapt is not None and not isinstance(adapt, Adapt):
        raise TypeError(f"`adapt` must be an `Adapt`, not {described(adapt)}.")
    with open_checkpoint(path, plugins, verify=verify) as opened:
        _warn_of_old(opened)
        spec = spec_inside(opened.path, opened.content.metadata, plugins)
        if adapt is not None:
            from kokoro_core.checkpoints.adapt_model import adapted

            return adapted(opened, spec, adapt, plugins, device)
        return spec, _rebuilt(opened, spec, device), None


def check_device(device: str) -> None:
    """Refuse a device that is none or that this machine does not have.

    Raises:
        ValueError: It is one of the two.
    """
    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(
            f"`device` must be one such as 'cpu' or 'cuda:0', not {described(device)}."
        ) from None
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": torch.mps.device_count()}
    if (wanted.index or 0) >= counts.get(wanted.type, 0):
        there = ", ".join(f"'{kind}'" for kind, count in counts.items() if count)
        raise ValueError(
            f"`device` '{wanted}' is none that a model can be used on on this machine; it has "
            f"{there}."
        )


def load_weights(
    path: Path, model: AcousticModel, spec: ModelSpec, plugins: Plugins, *, verify: bool = True
) -> None:
    """Put the weights of a checkpoint into a model that is there: all of them, or none.

    Args:
        path: As in `load`.
        model: The model; it is touched only when everything has been checked.
        spec: Its spec.
        plugins: Where components come from.
        verify: Compare everything with the content hash.

    Raises:
        CheckpointMismatch: It is a checkpoint of another model; the error lists how they differ.
        CheckpointError: The checkpoint is missing, damaged or none.
    """
    with open_checkpoint(path, plugins, verify=verify) as opened:
        _warn_of_old(opened)
        stored = spec_inside(opened.path, opened.content.metadata, plugins)
        changes = [
            f"`{each.path}` is {each.old} in it and {each.new} in the model"
            for each in diff_specs(stored, spec, plugins)
            if each.path.partition(".")[0] not in _AROUND_THE_MODEL
        ]
        here, there = floating_type(layout_of(model)), floating_type(opened.content.layout)
        if here != there:
            changes.append(f"it is stored in {there} and the model is in {here}")
        if changes:
            raise CheckpointMismatch(f"`{opened.path}` is of another model", changes)
        check_layout(opened, model)
        tensors = opened.content.read(verify=opened.verify)
    check_finite(f"`{opened.path}` is refused", tensors, _parameter_names(model))
    names = {name: tensors[original_name(name)] for name in model.state_dict()}
    model.load_state_dict(names, strict=True)


def _parameter_names(model: AcousticModel) -> set[str]:
    """Return the names that a checkpoint has for the parameters of a model."""
    return {original_name(name) for name, _ in model.named_parameters()}


def _rebuilt(opened: OpenModel, spec: ModelSpec, device: str) -> AcousticModel:
    model = assemble(spec, initialise=False)
    check_layout(opened, model)
    parameters = {name for name, _ in model.named_parameters()}
    with opened.content.reading(device, verify=opened.verify) as tensors:
        check_finite(f"`{opened.path}` is refused", tensors, parameters)
        model.load_state_dict(tensors, strict=True, assign=True)
        return on_device(opened.path, model, device)


def check_layout(opened: OpenModel, model: AcousticModel) -> None:
    """Refuse a checkpoint whose tensors are not exactly the model's.

    Raises:
        CheckpointMismatch: Some differ; the error lists them.
    """
    lines = differences(layout_of(model), opened.content.layout)
    if lines:
        what = f"`{opened.path}` does not fit the model that its spec describes"
        raise CheckpointMismatch(what, lines)


def spec_inside(path: Path, metadata: Mapping[str, Any], plugins: Plugins) -> ModelSpec:
    """Return the spec that a checkpoint holds; it is a mapping, never the name of another file.

    Raises:
        CheckpointError: It holds none, or is of another format.
        SpecError: The spec needs components that are not installed.
    """
    if "shard" in metadata and "spec" not in metadata:
        raise CheckpointError(
            f"`{path}` is a part of a checkpoint; load `{metadata.get('index')}` beside it."
        )
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
        raise SpecError(
            replace(with_recorded(each, metadata), source=str(path)) for each in error.problems
        ) from None


def _warn_of_old(opened: OpenModel) -> None:
    if opened.content.content_hash is None:
        warnings.warn(
            f"`{opened.path}` is of the first version and states no content hash, so nothing can "
            f"tell whether it is damaged; `kokoro-core checkpoint convert` gives it one.",
            stacklevel=4,
        )
