"""The weights that a vocoder's training begins with: those of a file, or drawn ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from kokoro_core import ModelSpec
from kokoro_core.checkpoints.vocoder_file import SavedVocoder, load_vocoder
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.errors import CheckpointError
from kokoro_plugins.training.vocoder.data import VocoderData
from registry import Plugins


def build_vocoder(spec: ModelSpec) -> NeuralVocoder:
    """Return the vocoder of a spec with drawn weights."""
    assert spec.vocoder is not None
    assert spec.audio is not None
    vocoder = spec.vocoder.build(spec.audio)
    assert isinstance(vocoder, NeuralVocoder)
    return vocoder


def begin_from(path: Path, spec: ModelSpec, plugins: Plugins) -> NeuralVocoder:
    """Return the vocoder of a spec with the weights of a file, buffers included.

    Args:
        path: Of a vocoder, or of a model with one.
        spec: Says what vocoder it must be.
        plugins: Where it comes from.

    Raises:
        CheckpointError: It is damaged or none, or of another vocoder.
    """
    saved = load_vocoder(path, plugins)
    if found := [*_differences(saved, spec)]:
        listed = "\n".join(f"- {each}" for each in found)
        raise CheckpointError(
            f"`{path}` has another vocoder than the spec `{spec.name}`:\n{listed}\nTrain the one "
            f"that it has, or begin without `--from`."
        )
    vocoder = build_vocoder(spec)
    vocoder.load_state_dict(saved.vocoder.state_dict())
    return vocoder


def _differences(saved: SavedVocoder, spec: ModelSpec) -> Iterator[str]:
    """Yield in words what keeps saved weights from being those of a spec's vocoder."""
    assert spec.vocoder is not None
    assert spec.audio is not None
    if type(saved.params) is not type(spec.vocoder):
        yield f"type: {saved.params.type} against {spec.vocoder.type} (file against spec)"
        return
    before, now = saved.params.model_dump(), spec.vocoder.model_dump()
    for name, value in before.items():
        if value != now[name]:
            yield f"{name}: {value} against {now[name]} (file against spec)"
    yield from (f"audio.{each} (file against spec)" for each in saved.audio.differences(spec.audio))


def moments(data: VocoderData) -> tuple[Tensor, Tensor]:
    """Return the mean of each mel channel, and the standard deviation of all of them for each."""
    figures = data.statistics
    return figures.mean_frame, torch.full_like(figures.mean_frame, figures.std or 1.0)
