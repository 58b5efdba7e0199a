"""What a look at every utterance tells before training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from kokoro_core.outer_contracts import Utterance


@dataclass(frozen=True)
class Statistics:
    """Figures of utterances; the mels are log mels, not normalised.

    Attributes:
        lengths: Frames of each.
        mean_frame: (M,), the mean of each channel.
        mean: Of all numbers of the mels.
        std: Their standard deviation.
    """

    lengths: tuple[int, ...]
    mean_frame: Tensor
    mean: float
    std: float

    @property
    def frames(self) -> int:
        """Frames in all."""
        return sum(self.lengths)


def measure(utterances: Iterable[Utterance]) -> Statistics:
    """Look at every utterance once, holding none of them.

    Raises:
        ValueError: There is no utterance.
    """
    lengths: list[int] = []
    total = squares = torch.zeros(0, dtype=torch.float64)
    for utterance in utterances:
        mel = utterance.mel.double()
        total = mel.sum(0) if not lengths else total + mel.sum(0)
        squares = mel.square().sum(0) if not lengths else squares + mel.square().sum(0)
        lengths.append(len(mel))
    if not lengths:
        raise ValueError("`utterances` must hold at least one to measure.")
    mean_frame = total / sum(lengths)
    mean = float(mean_frame.mean())
    variance = float((squares / sum(lengths)).mean()) - mean**2
    return Statistics(tuple(lengths), mean_frame.float(), mean, max(variance, 0.0) ** 0.5)
