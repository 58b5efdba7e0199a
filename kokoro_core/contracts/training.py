"""What a training is made of beside the model: its objective, and the course of its rates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn


class Schedule(ABC):
    """The course of a learning rate."""

    @abstractmethod
    def factor(self, done: int, progress: float) -> float:
        """Return the rate of the next step as a share of its peak.

        Args:
            done: Steps before it.
            progress: The share of the training that is done, from 0 to 1.
        """


class Objective(nn.Module, ABC):
    """What a model is trained for: a loss for each of several stages.

    A stage has parameters of its own, which an optimizer of its own moves. In each step the model
    runs once; then every stage's gradients are computed at the same weights, and all move together.
    A stage's gradients reach the parameters of no other stage, whatever its loss depends on.

    Its own parameters, such as discriminators, are saved with the training and not with the model.

    Attributes:
        done: Steps before the one at hand; the trainer sets it.
    """

    done: int = 0

    @abstractmethod
    def stages(self) -> tuple[str, ...]:
        """Return the names of the stages, in the order in which they are computed."""

    @abstractmethod
    def parameters_of(self, stage: str, model: nn.Module) -> Iterable[nn.Parameter]:
        """Return the parameters that a stage moves: the model's, or some of the objective's own.

        No parameter may be in two stages.
        """

    @abstractmethod
    def loss(self, stage: str, output: Any, batch: Any) -> dict[str, Tensor]:
        """Return the terms by name whose sum a stage makes small; none: it waits in this step.

        The stage that moves the model adds `ModelOutput.loss`, the weighted sum of the model's own
        losses, unless it means to replace it. Terms are means over what is valid in the batch.

        Args:
            stage: One of `stages`.
            output: The `ModelOutput` of the batch.
            batch: The `TrainingBatch`.
        """
