"""What a model's aligner finds in a recording."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kokoro_core import KokoroModel
from kokoro_core.contracts import Utterance
from kokoro_core.errors import CorpusError
from kokoro_core.model import ModelOutput, TrainingBatch
from kokoro_core.spec.rules.intake import features_for_training


@torch.no_grad()
def aligned_durations(model: KokoroModel, utterance: Utterance) -> list[int] | None:
    """Return the frames of each phoneme of a recording, as the model's aligner finds them.

    None for a model without one.

    Raises:
        CorpusError: The corpus lacks a feature that the model learns from.
    """
    audio = model.spec.audio
    if model.acoustic.aligner is None or audio is None:
        return None
    mel = ((utterance.mel - audio.mean) / audio.std).unsqueeze(0)
    phonemes = utterance.phoneme_indices.unsqueeze(0)
    batch = TrainingBatch(
        phoneme_indices=phonemes,
        padding_mask=torch.zeros(phonemes.shape, dtype=torch.bool),
        mel_specs=mel,
        mel_padding_mask=torch.zeros(mel.shape[:2], dtype=torch.bool),
        extras={name: _value(utterance, name) for name in features_for_training(model.spec)},
    )
    output: ModelOutput = model(batch.to(next(model.parameters()).device))
    durations: Tensor | None = None if output.plan is None else output.plan.durations
    return None if durations is None else durations[0].tolist()


def _value(utterance: Utterance, name: str) -> Any:
    if name not in utterance.features:
        raise CorpusError(
            f"`{utterance.name}` has no `{name}`, without which the model's aligner cannot be "
            f"asked; evaluate it on a corpus such as it was trained on."
        )
    value = utterance.features[name]
    return [value] if isinstance(value, str) else torch.as_tensor(value).unsqueeze(0)
