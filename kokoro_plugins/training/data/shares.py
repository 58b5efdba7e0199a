"""What a batch counts for in a step of several: as much as it holds, as in one large batch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from kokoro_core.model import TrainingBatch

OVER_PHONEMES = "duration"
"""Losses whose name begins so are means over phonemes, all others over frames."""


def by_share(losses: Mapping[str, Tensor], batch: TrainingBatch) -> dict[str, Tensor]:
    """Return the losses of a batch, so that their mean over the batches is that of all places.

    The model's losses are means over what is valid in their batch. The mean of such means gives a
    frame of a short batch more weight than one of a long batch; here each loss is multiplied by its
    batch's share of the step's valid frames or phonemes, times the number of batches.
    """
    if batch.of_step is None:
        return dict(losses)
    frames, phonemes, batches = batch.of_step.unbind()
    totals = {False: frames, True: phonemes}
    return {
        name: loss * (valid_places(name, batch) * batches) / totals[is_over_phonemes(name)]
        for name, loss in losses.items()
    }


def valid_places(name: str, batch: TrainingBatch) -> Tensor:
    """Return how many places a loss of a batch is the mean over, ()."""
    mask = batch.padding_mask if is_over_phonemes(name) else batch.mel_padding_mask
    return (~mask).sum()


def is_over_phonemes(name: str) -> bool:
    """Return whether a loss is a mean over phonemes and not over frames."""
    return name.startswith(OVER_PHONEMES)
