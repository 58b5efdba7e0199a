"""What a checkpoint says of itself, and the strict way from a file back to a model."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kokoro_core.checkpoints.adapt import Adapt
from kokoro_core.checkpoints.layout import CheckpointMismatch, floating_type
from kokoro_core.checkpoints.loaded import Loaded
from kokoro_core.checkpoints.locate import OpenModel, checkpointer_for, open_checkpoint
from kokoro_core.checkpoints.recorded import with_recorded
from kokoro_core.checkpoints.savable import check_savable
from kokoro_core.checkpoints.tensors_of import layout_of, parameter_names
from kokoro_core.checkpoints.values import check_finite, on_device
from kokoro_core.checkpoints.vocoder_tensors import (
    PLACE,
    layout_differences,
    layout_of_both,
    parted,
    placed,
    state_of,
    unset_vocoder,
)
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.errors import CheckpointError
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.assembly import assemble
from kokoro_core.spec.arguments import described
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError
from kokoro_core.spec.text.migrations import migrate
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.diff import diff_specs
from kokoro_core.tensors.compiled import original_name
from kokoro_core.tensors.devices import devices, is_device
from registry import Plugins

__all__ = [
    "FORMAT_VERSION",
    "check_savable",
    "checkpointer_for",
    "load",
    "load_weights",
    "save",
    "spec_inside",
]

FORMAT_VERSION = 1

_AROUND_THE_MODEL = {"name", "loss", "gradient_checkpointing", "frontend", "plugins"}
"""Settings that change nothing of what the weights mean; a vocoder's may, if it has weights."""


def save(
    path: Path,
    model: AcousticModel,
    spec: ModelSpec,
    plugins: Plugins,
    *,
    vocoder: NeuralVocoder | None = None,
    max_shard_bytes: int | None = None,
) -> None:
    """Write a model with the spec that rebuilds it, and with its vocoder if that has weights.

    Raises:
        CheckpointError: Nobody could load it, as `check_savable` finds or because a weight is not
            finite, or the disk refuses.
    """
    resolved = check_savable(path, model, spec, plugins, vocoder=vocoder)
    tensors = state_of(model, vocoder)
    check_finite(f"`{path}` was not written", tensors, _parameters(model, vocoder))
    metadata = {"format_version": FORMAT_VERSION, **resolved}
    checkpointer = checkpointer_for(path, plugins)
    checkpointer.save(path, tensors, metadata, max_shard_bytes=max_shard_bytes)


def load(
    path: Path,
    plugins: Plugins,
    device: str = "cpu",
    *,
    verify: bool = True,
    adapt: Adapt | None = None,
    widen: bool = False,
) -> Loaded:
    """Rebuild a model from a checkpoint alone, strictly, or adapt it to another.

    Nothing is initialised that the checkpoint brings, so the weights exist once.

    Args:
        path: A file, an index of several, a step directory, or a folder with one of them.
        plugins: Where components come from.
        device: Where the model goes.
        verify: Compare everything with the content hash.
        adapt: How the model is to differ; None: not at all.
        widen: Turn 16-bit weights into float32.

    Raises:
        CheckpointError: The checkpoint is missing, damaged or none, or its tensors are not exactly
            those of the model that its spec describes.
        SpecError: The spec inside needs components that are not installed.
        TypeError: `adapt` is something else.
        ValueError: The device is none, or not on this machine.
    """
    if not is_device(device):  # which is not the file's fault
        raise ValueError(
            f"`device` must be one such as 'cpu' or 'cuda:0', not {described(device)}; this "
            f"machine has {', '.join(devices())}."
        )
    if adapt is not None and not isinstance(adapt, Adapt):
        raise TypeError(f"`adapt` must be an `Adapt`, not {described(adapt)}.")
    with open_checkpoint(path, plugins, verify=verify) as opened:
        _warn_of_old(opened)
        spec = spec_inside(opened.path, opened.content.metadata, plugins)
        if adapt is not None:
            from kokoro_core.checkpoints.adapt_model import adapted

            return adapted(opened, spec, adapt, plugins, device, widen=widen)
        return _rebuilt(opened, spec, device, widen=widen)


def load_weights(
    path: Path,
    model: AcousticModel,
    spec: ModelSpec,
    plugins: Plugins,
    *,
    vocoder: NeuralVocoder | None = None,
    verify: bool = True,
) -> NeuralVocoder | None:
    """Put the weights of a checkpoint into a model that is there: all of them, or none.

    Args:
        path: As in `load`.
        model: The model; it is touched only when everything has been checked.
        spec: Its spec.
        plugins: Where components come from.
        vocoder: That of the model, or None; it is not touched.
        verify: Compare everything with the content hash.

    Returns:
        The checkpoint's vocoder; None: it has none.

    Raises:
        CheckpointMismatch: It is a checkpoint of another model; the error lists how they differ.
        CheckpointError: The checkpoint is missing, damaged or none.
    """
    with open_checkpoint(path, plugins, verify=verify) as opened:
        _warn_of_old(opened)
        stored = spec_inside(opened.path, opened.content.metadata, plugins)
        layout = opened.content.layout
        found = unset_vocoder(spec, layout)
        has_vocoder = vocoder is not None or bool(parted(layout)[1])
        changes = list(_changes(stored, spec, plugins, with_vocoder=has_vocoder))
        here, there = floating_type(layout_of(model)), floating_type(parted(layout)[0])
        if here != there:
            changes.append(f"it is stored in {there} and the model is in {here}")
        if changes:
            raise CheckpointMismatch(f"`{opened.path}` is of another model", changes)
        check_layout(opened, model, found or vocoder)
        tensors = opened.content.read(verify=opened.verify)
    check_finite(f"`{opened.path}` is refused", tensors, _parameters(model, found))
    names = {name: tensors[original_name(name)] for name in model.state_dict()}
    model.load_state_dict(names, strict=True)
    if found is None:
        return None
    placed(found).load_state_dict(parted(tensors)[1], strict=True, assign=True)
    return on_device(opened.path, found, next(model.parameters()).device)


def _changes(
    stored: ModelSpec, spec: ModelSpec, plugins: Plugins, *, with_vocoder: bool
) -> Iterator[str]:
    """Yield a line for each setting whose change would give weights another meaning."""
    around = _AROUND_THE_MODEL if with_vocoder else {*_AROUND_THE_MODEL, PLACE}
    for each in diff_specs(stored, spec, plugins):
        if each.path.partition(".")[0] not in around:
            yield f"`{each.path}` is {each.old} in it and {each.new} in the model"


def _parameters(model: AcousticModel, vocoder: NeuralVocoder | None) -> set[str]:
    """Return the names that a checkpoint has for the parameters of a model and its vocoder."""
    return parameter_names(model) | parameter_names(placed(vocoder))


def _rebuilt(opened: OpenModel, spec: ModelSpec, device: str, *, widen: bool) -> Loaded:
    model = assemble(spec, initialise=False)
    vocoder = unset_vocoder(spec, opened.content.layout)
    check_layout(opened, model, vocoder)
    parameters = _parameters(model, vocoder)
    with opened.content.reading(device, verify=opened.verify) as tensors:
        check_finite(f"`{opened.path}` is refused", tensors, parameters)
        of_model, of_vocoder = parted(tensors)
        model.load_state_dict(of_model, strict=True, assign=True)
        on_device(opened.path, model, device, widen=widen)
        if vocoder is not None:
            placed(vocoder).load_state_dict(of_vocoder, strict=True, assign=True)
            on_device(opened.path, vocoder, device, widen=widen)
        return Loaded(spec, model, vocoder)


def check_layout(opened: OpenModel, model: AcousticModel, vocoder: NeuralVocoder | None) -> None:
    """Refuse a checkpoint whose tensors are not exactly those of a model and its vocoder.

    Raises:
        CheckpointMismatch: Some differ; the error lists them.
    """
    lines = layout_differences(layout_of_both(model, vocoder), opened.content.layout)
    if lines:
        what = f"`{opened.path}` does not fit the model that its spec describes"
        raise CheckpointMismatch(what, lines)


def spec_at(path: Path, plugins: Plugins) -> tuple[ModelSpec, str | None]:
    """Return the spec of the checkpoint at a path and its content hash; no tensor is read.

    Raises:
        CheckpointError: It is damaged or none.
        SpecError: The spec needs components that are not installed.
    """
    with open_checkpoint(path, plugins) as opened:
        content = opened.content
        return spec_inside(opened.path, content.metadata, plugins), content.content_hash


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
    check_format(path, metadata)
    spec = metadata.get("spec")
    if spec is None and PLACE in metadata:
        raise CheckpointError(
            f"`{path}` is a vocoder without a model; `kokoro-core checkpoint attach` puts it into "
            f"one."
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


def check_format(path: Path, metadata: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of a format that this version does not read.

    Raises:
        CheckpointError: It is of another one, or says of none.
    """
    version = metadata.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        raise CheckpointError(
            f"`{path}` has checkpoint format {version!r}; this version reads {FORMAT_VERSION}."
        )


def _warn_of_old(opened: OpenModel) -> None:
    if opened.content.content_hash is None:
        warnings.warn(
            f"`{opened.path}` is of the first version and states no content hash, so nothing can "
            f"tell whether it is damaged; `kokoro-core checkpoint convert` gives it one.",
            stacklevel=4,
        )
