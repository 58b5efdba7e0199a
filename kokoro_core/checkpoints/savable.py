"""Whether a model could be loaded again, asked before it is written or trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kokoro_core.checkpoints.layout import CheckpointMismatch, differences
from kokoro_core.checkpoints.locate import checkpointer_for
from kokoro_core.checkpoints.module_differences import module_differences
from kokoro_core.checkpoints.tensors_of import layout_of
from kokoro_core.checkpoints.vocoder_tensors import state_of, vocoder_differences
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.errors import CheckpointError
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.assembly import assemble
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.resolve import resolve
from kokoro_core.tensors.compiled import original_state
from registry import Plugins
from registry.errors import UnknownComponent

_ADVICE = {
    "parametrizations": "Call `torch.nn.utils.parametrize.remove_parametrizations` of `{layer}`",
    "weight_g": "Call `torch.nn.utils.remove_weight_norm` of `{layer}`",
    "weight_u": "Call `torch.nn.utils.remove_spectral_norm` of `{layer}`",
    "weight_mask": "Call `torch.nn.utils.prune.remove` of `{layer}`",
    "module": "Save the module that `{layer}` wraps",
}
"""What brings back a plain weight, by the part of a name that tells who replaced it."""

_ELSE = (
    "Merge an adapter into the weights, or make what was put into the model a component of a "
    "plugin and name it in the spec"
)


_PUT_BACK = (
    "Put back what the spec has there, with what was put in its place merged into the weights, or "
    "make the part a component of a plugin and name it in the spec"
)


_ATTACH = (
    "Attach it with `model.attach_vocoder`, which changes the spec as well, or set "
    "`model.vocoder = None`"
)


def check_savable(
    path: Path,
    model: AcousticModel,
    spec: ModelSpec,
    plugins: Plugins,
    *,
    vocoder: NeuralVocoder | None = None,
) -> dict[str, Any]:
    """Return the resolved spec of a model that could be saved to a path and loaded again.

    The classes of its modules and the names, types and shapes of its tensors are compared with
    those of the model that the spec describes, built on the meta device; no value is looked at and
    nothing is written. It takes some hundredths of a second, so that a training can ask before its
    first step.

    Raises:
        CheckpointError: The model is not the one that its spec describes, the spec cannot be read
            again, or the checkpointer cannot store the tensors as they are.
    """
    checkpointer = checkpointer_for(path, plugins)
    metadata = readable(path, spec, plugins)
    described = assemble(spec, device="meta", initialise=False)
    modules = list(module_differences(described, model))
    tensors = differences(layout_of(described), layout_of(model), of="the spec's model")
    if modules or tensors:
        what = f"`{path}` could not be loaded again, since the model is not what its spec describes"
        advice = _advice(model, described) if tensors else _PUT_BACK
        raise CheckpointMismatch(what, [*modules, *tensors], advice=advice)
    if vocoder is not None:
        _check_vocoder(path, spec, vocoder)
    checkpointer.check(state_of(model, vocoder))
    return metadata


def _check_vocoder(path: Path, spec: ModelSpec, vocoder: NeuralVocoder) -> None:
    modules, tensors = vocoder_differences(spec, vocoder)
    if modules or tensors:
        what = f"`{path}` could not be loaded again, since the vocoder is not that of the spec"
        raise CheckpointMismatch(what, [*modules, *tensors], advice=_ATTACH)


def readable(path: Path, spec: ModelSpec, plugins: Plugins) -> dict[str, Any]:
    """Return the resolved spec, refusing one that no file can hold."""
    try:
        resolved = resolve(spec, plugins)
        load_spec(resolved["spec"], plugins=plugins)
    except (SpecError, UnknownComponent) as error:
        raise CheckpointError(f"`{path}` could not be read again: {error}") from error
    return resolved


def _advice(model: AcousticModel, described: AcousticModel) -> str:
    """Return what would make a model savable, told from the first tensor that is too many."""
    known = described.state_dict().keys()
    added = [name for name in original_state(model) if name not in known]
    for name in added:
        parts = name.split(".")
        for part, advice in _ADVICE.items():
            if part in parts:
                layer = ".".join(parts[: parts.index(part)])
                return advice.format(layer=layer)
    return _ELSE
