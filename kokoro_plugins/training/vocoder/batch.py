"""`VocoderBatch`: mels and the waves that they are of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from kokoro_core.contracts import map_tensors
from kokoro_core.params.audio import AudioSettings
from kokoro_core.tensors.masks import padding_mask_from_lengths
from kokoro_core.tensors.pytree import register_pytree


@register_pytree
@dataclass(frozen=True, kw_only=True)
class VocoderBatch:
    """Crops of recordings, of equal length; what a short recording lacks is silence.

    Attributes:
        mel_specs: (B, T, M), what the vocoder reads: log mels, not normalised.
        wave: (B, S), the samples of these frames.
        wave_padding_mask: (B, S) bool, True = what a recording lacks.
        lengths: (B,) int64, frames without those.
        of_step: (2,) int64, rows and number of all batches of its step; None: it is one by itself.
    """

    mel_specs: Tensor
    wave: Tensor
    wave_padding_mask: Tensor
    lengths: Tensor
    of_step: Tensor | None = None

    def __len__(self) -> int:
        return len(self.wave)

    def to(self, device: torch.device | str, **options: Any) -> Self:
        """Return the batch on a device."""
        return map_tensors(lambda tensor: tensor.to(device, **options), self)


def join(
    crops: Sequence[tuple[Tensor, Tensor]],
    frames: int,
    audio: AudioSettings,
    of_step: tuple[int, int] | None = None,
) -> VocoderBatch:
    """Return a batch of crops.

    Args:
        crops: Of each the mel, (T, M), and the wave by frames, (T, hop_length).
        frames: As long every row becomes.
        audio: Says what the mel of silence is.
        of_step: Rows and number of all batches of its step.
    """
    log = math.log if audio.log == "ln" else math.log10
    mels = torch.full((len(crops), frames, audio.n_mels), log(audio.floor))
    waves = torch.zeros(len(crops), frames, audio.hop_length)
    for row, (mel, wave) in enumerate(crops):
        mels[row, : len(mel)], waves[row, : len(wave)] = mel, wave
    lengths = torch.tensor([len(mel) for mel, _ in crops])
    samples = frames * audio.hop_length
    return VocoderBatch(
        mel_specs=mels,
        # (B, T, hop) -> (B, T * hop)
        wave=waves.flatten(1),
        wave_padding_mask=padding_mask_from_lengths(lengths * audio.hop_length, samples),
        lengths=lengths,
        of_step=None if of_step is None else torch.tensor(of_step),
    )
