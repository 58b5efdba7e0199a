"""The tensors of a model's vocoder in a checkpoint: their names begin with ``vocoder.``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor, nn

from kokoro_core.checkpoints.layout import differences
from kokoro_core.checkpoints.module_differences import module_differences
from kokoro_core.checkpoints.tensors_of import layout_of
from kokoro_core.contracts import NeuralVocoder, TensorInfo
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.vocoder import assemble_vocoder
from kokoro_core.params.audio import AudioSettings
from kokoro_core.slots import VocoderParams
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.tensors.compiled import original_state

PLACE = "vocoder"

Value = TypeVar("Value")


def parted(named: Mapping[str, Value]) -> tuple[dict[str, Value], dict[str, Value]]:
    """Return what of a checkpoint is of the acoustic model, and what is of the vocoder."""
    model: dict[str, Value] = {}
    vocoder: dict[str, Value] = {}
    for name, each in named.items():
        (vocoder if name.startswith(f"{PLACE}.") else model)[name] = each
    return model, vocoder


def placed(vocoder: NeuralVocoder | None) -> nn.ModuleDict:
    """Return a module in which a vocoder's tensors have the names that a checkpoint has."""
    return nn.ModuleDict() if vocoder is None else nn.ModuleDict({PLACE: vocoder})


def state_of(model: AcousticModel, vocoder: NeuralVocoder | None) -> dict[str, Tensor]:
    """Return the tensors of a model, and of its vocoder if it has one, as they are saved."""
    return {**original_state(model), **original_state(placed(vocoder))}


def unset_vocoder(spec: ModelSpec, found: Mapping[str, TensorInfo]) -> NeuralVocoder | None:
    """Return a vocoder without values, for the tensors of a checkpoint.

    Args:
        spec: The checkpoint's.
        found: Its tensors.

    Returns:
        None: It has no tensor of a vocoder, or its spec has no vocoder with weights.
    """
    if not parted(found)[1] or spec.vocoder is None or spec.audio is None:
        return None
    if not spec.vocoder.trained:
        return None
    return assemble_vocoder(spec.vocoder, spec.audio, initialise=False)


def layout_of_both(model: AcousticModel, vocoder: NeuralVocoder | None) -> dict[str, TensorInfo]:
    """Return type and shape of each tensor that a checkpoint of a model and its vocoder has."""
    return {**layout_of(model), **layout_of(placed(vocoder))}


def layout_differences(
    expected: Mapping[str, TensorInfo], found: Mapping[str, TensorInfo]
) -> list[str]:
    """Return what keeps stored tensors from being those of a model and its vocoder, a line each.

    Each of the two is stored in one floating type, and they need not be the same.
    """
    pairs = zip(parted(expected), parted(found), strict=True)
    return [line for pair in pairs for line in differences(*pair)]


def vocoder_differences(spec: ModelSpec, vocoder: NeuralVocoder) -> tuple[list[str], list[str]]:
    """Return what keeps a vocoder from being the one of a spec, in modules and in tensors."""
    if spec.vocoder is None or spec.audio is None or not spec.vocoder.trained:
        named = "no vocoder" if spec.vocoder is None else f"the vocoder `{spec.vocoder.type}`"
        return [f"`{PLACE}` is a `{type(vocoder).__name__}`, and the spec has {named}"], []
    return settings_differences(spec.vocoder, spec.audio, vocoder)


def settings_differences(
    params: VocoderParams, audio: AudioSettings, vocoder: NeuralVocoder
) -> tuple[list[str], list[str]]:
    """Return what keeps a vocoder from being the one of settings, in modules and in tensors."""
    described = assemble_vocoder(params, audio, device="meta", initialise=False)
    pair = placed(described), placed(vocoder)
    layouts = [layout_of(each) for each in pair]
    return [*module_differences(*pair)], differences(*layouts, of="the vocoder")
