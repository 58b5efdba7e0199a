"""`WeightAverage`: a moving average of a model's weights."""

from __future__ import annotations

from typing import final

import torch
from torch import nn


@final
class WeightAverage:
    """An exponential average of weights, which can change places with them (Polyak, 1992).

    Args:
        model: Has the weights.
        decay: How much of the average stays in a step; less in the first steps, which are of a
            model that knows nothing yet.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._weights = [each.data for each in model.parameters()]
        self._average = [each.clone() for each in self._weights]
        self._decay = decay
        self._steps = 0

    def update(self) -> None:
        """Take in the weights after a step."""
        self._steps += 1
        stays = min(self._decay, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_(self._average, self._weights, 1 - stays)

    def swap(self) -> None:
        """Exchange weights and average."""
        for weight, average in zip(self._weights, self._average, strict=True):
            held = weight.clone()
            weight.copy_(average)
            average.copy_(held)
