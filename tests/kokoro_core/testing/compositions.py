"""Whole models of any parts, and what each must do: train, be saved and loaded, and speak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kokoro_core.api import KokoroModel
from kokoro_core.model.batch import TrainingBatch
from kokoro_core.model.wiring import wiring_of
from kokoro_core.params.component import ComponentParams
from kokoro_core.params.features import Feature
from kokoro_core.spec.load import load_spec
from kokoro_core.spec.problems.problem import SpecError
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_core.testing.subjects.tiny import declared_params, shrunk
from registry import installed_plugins

REGISTRY = installed_plugins().components
NONE = "none"

PLACES: Mapping[str, str] = {
    "conditioner": "conditioner",
    "encoder": "encoder",
    "aligner": "aligner",
    "token_adaptor": "adaptor",
    "duration_predictor": "duration_predictor",
    "regulator": "regulator",
    "frame_adaptor": "adaptor",
    "decoder": "decoder",
    "postnet": "postnet",
    "positional_encoding": "positional_encoding",
}
"""What is chosen for a model, and the slot whose components there are to choose from."""

OPTIONAL = frozenset(PLACES) - {"encoder", "decoder", "positional_encoding"}

LENGTHS, FRAMES = (5, 3), (14, 9)

REFUSALS = frozenset({"unmet-need", "unmet-input", "half-regulated", "not-offsetable", "unfed"})
"""Codes of what parts may refuse of each other."""


@cache
def choices(place: str) -> dict[str, dict[str, Any]]:
    """Return the small settings that a place may have, by ``name`` or ``name:variant``."""
    found: dict[str, dict[str, Any]] = {NONE: {}} if place in OPTIONAL else {}
    slot = PLACES[place]
    for name in REGISTRY.names(slot):
        kind: type[ComponentParams] = REGISTRY.find(slot, name).component
        for variant, params in declared_params(kind).items():
            small = shrunk(params, kind.tiny()[variant])
            label = f"{name}:{variant}" if variant else name
            found[label] = small.model_dump(mode="json")
    return found


def document(chosen: Mapping[str, str]) -> dict[str, Any]:
    """Return the spec of a choice, by place."""
    parts = {place: dict(choices(place)[label]) for place, label in chosen.items()}
    if "dim" in parts["conditioner"]:
        parts["conditioner"]["dim"] = 5  # as speakers in small decoders are wide
    encoding = parts["positional_encoding"]
    for part in parts.values():
        if part.get("positional_encoding"):
            part["positional_encoding"] = encoding
    spec: dict[str, Any] = {
        "name": "composed",
        **{"vocab_size": 11, "pad_id": 2, "mel_dim": 6, "hidden_dim": 16},
        "speakers": ["anna", "ben"] if parts["conditioner"] else None,
        "encoder": parts["encoder"],
        "aligner": parts["aligner"] or None,
        "duration_predictor": parts["duration_predictor"] or None,
        "regulator": parts["regulator"] or None,
        "decoder": parts["decoder"],
        "postnet": parts["postnet"] or None,
        "conditioners": {"speaker": parts["conditioner"]} if parts["conditioner"] else None,
        "token_adaptors": {"pitch": parts["token_adaptor"]} if parts["token_adaptor"] else None,
        "frame_adaptors": {"energy": parts["frame_adaptor"]} if parts["frame_adaptor"] else None,
    }
    return {key: value for key, value in spec.items() if value is not None or key in _NULLABLE}


_NULLABLE = ("duration_predictor", "regulator")


@dataclass(frozen=True)
class Drawn:
    """What a model is trained on, and what it is spoken with."""

    batch: TrainingBatch
    spoken: dict[str, Any]


def drawn_for(model: KokoroModel) -> Drawn:
    """Return a batch of two utterances with the features that the model takes."""
    generator = torch.Generator().manual_seed(3)
    sizes = model.spec.sizes
    mask = padding_mask_from_lengths(torch.tensor(LENGTHS), max(LENGTHS))
    mel_mask = padding_mask_from_lengths(torch.tensor(FRAMES), max(FRAMES))
    indices = torch.randint(3, sizes.vocab_size, mask.shape, generator=generator)
    durations = torch.tensor([[3, 2, 4, 2, 3], [4, 1, 4, 0, 0]])
    mels = torch.randn(*mel_mask.shape, sizes.mel_dim, generator=generator)
    shapes = {"phoneme": mask.shape, "frame": mel_mask.shape, "row": mask.shape[:1]}
    extras: dict[str, Tensor] = {}
    spoken: dict[str, Tensor] = {}
    wiring = model.acoustic.wiring
    for name, feature in wiring.given().items():
        value = _value(feature or Feature(), shapes, generator)
        if feature is None or feature.is_required(training=True):
            extras[name] = value
        if feature is None or feature.is_required(training=False):
            spoken[name] = value
    aligned = model.acoustic.aligner is None and model.acoustic.regulator is not None
    batch = TrainingBatch(
        phoneme_indices=indices.masked_fill(mask, sizes.pad_id),
        padding_mask=mask,
        durations=durations if aligned else None,
        mel_specs=mels.masked_fill(mel_mask.unsqueeze(2), 0),
        mel_padding_mask=mel_mask,
        extras=extras,
    )
    return Drawn(batch, spoken)


def _value(feature: Feature, shapes: Mapping[str, Any], generator: torch.Generator) -> Tensor:
    shape = shapes[feature.per]
    if feature.kind == "index":
        return torch.randint(0, feature.width or 2, shape, generator=generator)
    channels = () if feature.width is None else (feature.width,)
    return torch.randn(*shape, *channels, generator=generator)


def live(spec: ModelSpec, folder: Path) -> None:
    """Build a model, train it for two steps, save and load it, and let both speak alike."""
    torch.manual_seed(0)
    model = KokoroModel.from_spec(spec)
    drawn = drawn_for(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(2):
        optimizer.zero_grad()
        loss = model(drawn.batch).loss
        assert loss is not None
        assert bool(loss.isfinite()), "the loss of a step must be finite"
        loss.backward()
        optimizer.step()
    path = folder / "model.safetensors"
    model.save(path)
    loaded = KokoroModel.load(path).eval()
    model.eval()
    given: dict[str, Any] = {"max_mel_len": 8, "seed": [1, 2], **drawn.spoken}
    said = (drawn.batch.phoneme_indices, drawn.batch.padding_mask)
    first, second = (each.generate(*said, **given) for each in (model, loaded))
    assert bool(first.mel.isfinite().all()), "speech must be finite"
    assert torch.equal(first.mel, second.mel), "a loaded model must speak the same"


def refusal_of(chosen: Mapping[str, str]) -> set[str]:
    """Return the codes with which `check` refuses a choice, or ``unfed`` if nobody feeds a part.

    A part may need what is no feature that a corpus could give, such as an encoder's prior; a
    caller in Python could give it, `train` refuses the corpus.
    """
    try:
        spec = load_spec(document(chosen))
    except SpecError as error:
        return {each.code for each in error.problems}
    return {"unfed"} if None in wiring_of(spec).given().values() else set()


def trouble_of(chosen: Mapping[str, str], folder: Path) -> str:
    """Return what goes wrong with a model that `check` accepts, or nothing."""
    try:
        live(load_spec(document(chosen)), folder)
    except Exception as error:  # whatever it is, it is what the test is for
        return f"{dict(chosen)}: {type(error).__name__}: {error}"
    return ""
