"""`Together`: the optimizers of several stages as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import torch
from torch.optim import Optimizer


@final
class Together(Optimizer):
    """Moves the parameters of all stages at once, each by its stage's optimizer.

    Args:
        optimizers: By stage.

    Attributes:
        optimizers: As above.
    """

    def __init__(self, optimizers: Mapping[str, Optimizer]) -> None:
        self.optimizers = dict(optimizers)
        super().__init__(self._groups(), {})
        self._share_groups()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Compute the gradients by the closure if there is one, and move every parameter."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for each in self.optimizers.values():
            each.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the state of each stage's optimizer."""
        return {stage: each.state_dict() for stage, each in self.optimizers.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on with the states of `state_dict`."""
        for stage, each in self.optimizers.items():
            each.load_state_dict(state_dict[stage])
        self._share_groups()

    def eval(self) -> None:
        """Have every stage's weights as they are spoken with."""
        self._switch("eval")

    def train(self) -> None:
        """Have every stage's weights as they are trained."""
        self._switch("train")

    def _switch(self, mode: str) -> None:
        for each in self.optimizers.values():
            getattr(each, mode, lambda: None)()

    def _groups(self) -> list[dict[str, Any]]:
        return [group for each in self.optimizers.values() for group in each.param_groups]

    def _share_groups(self) -> None:
        """Hold the very groups of the optimizers, so that a schedule's rates reach them."""
        self.param_groups = self._groups()
