"""`ExampleOptimizer`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


@final
class ExampleOptimizer(Optimizer):
    """Lion (Chen et al., 2023, algorithm 2).

    Args:
        parameters: What it moves.
        lr: The size of a step.
        ahead: How much of the momentum is in a step's direction.
        momentum: How much of the momentum stays.
        weight_decay: How much of a weight goes in a step, times the rate.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        *,
        lr: float,
        ahead: float,
        momentum: float,
        weight_decay: float,
    ) -> None:
        settings = {"ahead": ahead, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, {"lr": lr, **settings})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if "mean" not in state:
            state["mean"] = torch.zeros_like(parameter)
        mean: Tensor = state["mean"]
        direction = gradient.lerp(mean, group["ahead"]).sign()
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.sub_(direction, alpha=group["lr"])
        mean.lerp_(gradient, 1 - group["momentum"])
