"""The settings of the component: what a recipe may say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kokoro_core.slots import OptimizerParams

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer


class ExampleParams(OptimizerParams):
    """Steps of one size for every weight, in the direction of the momentum (Chen et al., 2023).

    It wants a rate of a third to a tenth of AdamW's.

    Attributes:
        ahead: How much of the momentum is in a step's direction; the rest is the gradient.
        momentum: How much of the momentum stays.
        weight_decay: How much of a weight goes in a step, times the rate.
    """

    type: Literal["example"] = "example"
    lr: float = Field(default=2e-4, gt=0)
    ahead: float = Field(default=0.9, ge=0, lt=1)
    momentum: float = Field(default=0.99, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)

    def build(self, parameters: Sequence[nn.Parameter], module: nn.Module) -> Optimizer:
        """Return the optimizer."""
        from kokoro_core.scaffold.examples.optimizer.optimizer import ExampleOptimizer

        return ExampleOptimizer(
            parameters,
            lr=self.lr,
            ahead=self.ahead,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
        )
