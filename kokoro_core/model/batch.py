"""`TrainingBatch`: the one record of a training batch, from collation to the losses."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from kokoro_core.contracts import map_tensors
from kokoro_core.tensors.masks import lengths_from_padding_mask
from kokoro_core.tensors.pytree import register_pytree

_NO_KEYWORDS = frozenset({"durations", "extras", "of_step"})
"""Fields that `KokoroModel.forward` takes by another name, or not at all."""


@register_pytree
@dataclass(frozen=True, kw_only=True)
class TrainingBatch:
    """Utterances side by side, each padded to the longest.

    Attributes:
        phoneme_indices: (B, N) int64.
        padding_mask: (B, N) bool, True = padding.
        durations: (B, N) int64 frames, 0 at padding, or None for a model without a regulator.
        mel_specs: (B, T, M), the target, normalised with the mean and std of the spec's audio.
        mel_padding_mask: (B, T) bool, True = padding.
        stop_token_targets: (B, T), 1 at the last frame; None: made from the lengths.
        extras: The side inputs that the model's parts need, by name.
        of_step: (3,) int64: the frames and the phonemes of all batches whose gradients are added up
            for one step, and how many batches they are; None: the batch is a step of its own.
    """

    phoneme_indices: Tensor
    padding_mask: Tensor
    durations: Tensor | None = None
    mel_specs: Tensor
    mel_padding_mask: Tensor
    stop_token_targets: Tensor | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)
    of_step: Tensor | None = None

    def __len__(self) -> int:
        return len(self.phoneme_indices)

    @property
    def lengths(self) -> Tensor:
        """Frames of each row, (B,) int64."""
        return lengths_from_padding_mask(self.mel_padding_mask)

    def model_inputs(self) -> dict[str, Any]:
        """Return the keywords of `KokoroModel.forward`; deprecated for ``model(batch)``."""
        warnings.warn(
            "`model(**batch.model_inputs())` is deprecated and leaves in the next release; "
            "`model(batch)` computes the same.",
            DeprecationWarning,
            stacklevel=2,
        )
        inputs = {**vars(self), **self.extras, "phoneme_durations": self.durations}
        return {name: each for name, each in inputs.items() if name not in _NO_KEYWORDS}

    def to(self, device: torch.device | str, **options: Any) -> Self:
        """Return the batch on a device."""
        return map_tensors(lambda tensor: tensor.to(device, **options), self)
