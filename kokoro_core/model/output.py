"""`ModelOutput`: what a training step returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from kokoro_core.contracts import Plan
from kokoro_core.tensors.pytree import register_pytree


@register_pytree
@dataclass(frozen=True)
class ModelOutput:
    """What a training step returns; iterating it yields the original model's three.

    Attributes:
        mel: (B, T, M), refined if there is a postnet.
        duration_pred: (B, N) natural log of (frames + 1), or None.
        stop_logits: (B, T), or None for a decoder without a stop head.
        mel_coarse: (B, T, M), the decoder's own, or None without a postnet.
        mel_padding_mask: (B, T) bool, True = padding.
        loss: The weighted sum of `losses`.
        losses: Each term by name, not weighted.
        plan: How phonemes became frames, or None without a regulator.
        soft: (B, T, N), the aligner's probabilities of the phonemes of each frame, or None.
        predictions: What the adaptors predicted, by name.
    """

    mel: Tensor
    duration_pred: Tensor | None
    stop_logits: Tensor | None
    mel_coarse: Tensor | None
    mel_padding_mask: Tensor
    loss: Tensor
    losses: dict[str, Tensor] = field(default_factory=dict)
    plan: Plan | None = None
    soft: Tensor | None = None
    predictions: dict[str, Tensor] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Tensor | None]:
        return iter((self.mel, self.duration_pred, self.stop_logits))
