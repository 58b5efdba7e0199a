"""What a batch counts for in a step of several: as much as it holds, as in one large batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from torch import Tensor

from kokoro_core import ModelSpec
from kokoro_core.model import TrainingBatch
from kokoro_core.spec.rules.own_losses import declared_losses

DURATION = "duration"
"""Losses that nobody declared are means over phonemes if their name begins so, else over frames."""

ON_PHONEMES = frozenset({"encoder", "duration_predictor", "token_adaptors"})
"""The places of parts whose declared losses are means over phonemes; all others' are over frames.

A part that takes the mean of each row first is counted by the places of its batch all the same.
"""


@final
class Shares:
    """Knows which losses of a model are means over phonemes, and which over frames.

    Args:
        spec: Of the model.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._on_phonemes = {
            name: place.partition(".")[0] in ON_PHONEMES
            for name, (place, _) in declared_losses(spec).items()
        }

    def by_share(self, losses: Mapping[str, Tensor], batch: TrainingBatch) -> dict[str, Tensor]:
        """Return the losses of a batch, so that their mean over the batches is that of all places.

        The model's losses are means over what is valid in their batch. The mean of such means gives
        a frame of a short batch more weight than one of a long batch; here each loss is multiplied
        by its batch's share of the step's valid frames or phonemes, times the number of batches.
        """
        if batch.of_step is None:
            return dict(losses)
        frames, phonemes, batches = batch.of_step.unbind()
        totals = {False: frames, True: phonemes}
        return {
            name: loss
            * (self.valid_places(name, batch) * batches)
            / totals[self.is_over_phonemes(name)]
            for name, loss in losses.items()
        }

    def valid_places(self, name: str, batch: TrainingBatch) -> Tensor:
        """Return how many places a loss of a batch is the mean over, ()."""
        mask = batch.padding_mask if self.is_over_phonemes(name) else batch.mel_padding_mask
        return (~mask).sum()

    def is_over_phonemes(self, name: str) -> bool:
        """Return whether a loss is a mean over phonemes and not over frames."""
        return self._on_phonemes.get(name, name.startswith(DURATION))
