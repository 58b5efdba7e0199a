"""Features of a whole model, drawn as they are declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from kokoro_core.api import KokoroModel
from kokoro_core.model.batch import TrainingBatch
from kokoro_core.params.capabilities import SideInput
from kokoro_core.params.features import Feature
from kokoro_core.params.sizes import Sizes
from kokoro_core.testing.data.batches import RaggedBatch


def feature_look(name: str, feature: Feature, sizes: Sizes) -> SideInput:
    """Return what a feature looks like to a part; the names of a spec count its indices."""
    named = {"speaker": sizes.num_speakers, "language": sizes.num_languages}
    width = feature.width
    if feature.kind == "index" and width is None:
        width = named.get(name, 0) or 1
    return SideInput(feature.kind, "row" if feature.per == "row" else "step", width)


def unknown_extras(model: KokoroModel) -> list[str]:
    """Return what a model takes from outside that cannot be drawn for training and speaking."""
    return sorted(
        name
        for name, each in model.acoustic.wiring.given().items()
        if each is None or (each.per == "frame" and each.is_required(training=False))
    )


def drawn_extras(model: KokoroModel, phonemes: RaggedBatch, frames: RaggedBatch) -> dict[str, Any]:
    """Return the features that training needs."""
    sizes, needed = model.spec.sizes, model.acoustic.wiring.required(training=True)
    made: dict[str, Tensor] = {}
    for stream, (name, feature) in enumerate(sorted(_features(model).items()), start=60):
        if name in needed and feature.per != "recording":
            steps = frames if feature.per == "frame" else phonemes
            look = feature_look(name, feature, sizes)
            made[name] = steps.side_input(look, steps.width, sizes, stream=stream)
    return made


def _features(model: KokoroModel) -> dict[str, Feature]:
    given = model.acoustic.wiring.given().items()
    return {name: each for name, each in given if each is not None}


def extras_of_row(
    model: KokoroModel, extras: Mapping[str, Any], row: int, phonemes: int, frames: int
) -> dict[str, Any]:
    """Return the features of a row alone, without padding."""
    ends = {"phoneme": phonemes, "frame": frames}
    features = _features(model)
    rows = {name: each[row : row + 1] for name, each in extras.items()}
    return {
        name: each[:, : ends.get(features[name].per)] if features[name].per in ends else each
        for name, each in rows.items()
    }


def wider_extras(
    model: KokoroModel, extras: Mapping[str, Any], phonemes: int, frames: int
) -> dict[str, Any]:
    """Return the features with more padding, which holds other numbers."""
    more, features = {"phoneme": phonemes, "frame": frames}, _features(model)
    return {name: _wider(each, more.get(features[name].per, 0)) for name, each in extras.items()}


def _wider(tensor: Tensor, steps: int) -> Tensor:
    if not steps:
        return tensor
    value = 7.0 if tensor.is_floating_point() else 0
    shape = (len(tensor), steps, *tensor.shape[2:])
    wide: Tensor = torch.cat([tensor, tensor.new_full(shape, value)], 1)
    return wide


def spoken_extras(model: KokoroModel, data: TrainingBatch) -> dict[str, Any]:
    """Return the features that speaking needs; recordings to follow are the true mels."""
    dtype = next(model.parameters()).dtype
    found: dict[str, Any] = {}
    for name, feature in _features(model).items():
        if not feature.is_required(training=False):
            continue
        if feature.per == "recording":
            is_mask = name.endswith("_padding_mask")
            found[name] = data.mel_padding_mask if is_mask else data.mel_specs.to(dtype)
        else:
            value = data.extras[name]
            found[name] = value.to(dtype) if value.is_floating_point() else value
    return found
