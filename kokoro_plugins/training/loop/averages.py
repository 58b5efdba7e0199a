"""`WeightAverage`: a moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn


@final
class WeightAverage:
    """An exponential average of weights, which can change places with them (Polyak, 1992).

    Args:
        model: Has the weights; it may move to another device until the first step.
        decay: How much of the average stays in a step; less in the first steps, which are of a
            model that knows nothing yet.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._parameters = [*model.parameters()]
        self._average: list[Tensor] = []
        self._decay = decay
        self._steps = 0

    def start(self) -> None:
        """Begin with the weights as they are, or put what was saved beside them."""
        held = self._average or self._weights()
        self._average = [
            each.to(weight).clone() for each, weight in zip(held, self._weights(), strict=True)
        ]

    def update(self) -> None:
        """Take in the weights after a step."""
        self._steps += 1
        stays = min(self._decay, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_(self._average, self._weights(), 1 - stays)

    def swap(self) -> None:
        """Exchange weights and average."""
        if not self._average:
            self.start()
        for weight, average in zip(self._weights(), self._average, strict=True):
            held = weight.clone()
            weight.copy_(average)
            average.copy_(held)

    def state_dict(self) -> dict[str, Any]:
        """Return the average, and over how many steps it is."""
        return {"steps": self._steps, "average": list(self._average)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the average of `state_dict`."""
        self._steps, self._average = state["steps"], list(state["average"])

    def _weights(self) -> list[Tensor]:
        return [each.data for each in self._parameters]
