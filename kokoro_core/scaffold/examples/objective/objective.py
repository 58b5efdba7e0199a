"""`ExampleObjective`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, final

from torch import Tensor, nn

from kokoro_core.contracts import Objective
from kokoro_core.tensors.masks import zero_padding

STAGE = "model"


@final
class ExampleObjective(Objective):
    """One stage, which moves the model.

    Args:
        weight: Of the changes from frame to frame.
    """

    def __init__(self, *, weight: float) -> None:
        super().__init__()
        self._weight = weight

    def stages(self) -> tuple[str, ...]:
        """Return the only stage."""
        return (STAGE,)

    def parameters_of(self, stage: str, model: nn.Module) -> Iterable[nn.Parameter]:
        """Return the model's parameters."""
        return model.parameters()

    def loss(self, stage: str, output: Any, batch: Any) -> dict[str, Tensor]:
        """Return the model's own loss and the mean error of the changes."""
        padding = batch.mel_padding_mask[:, 1:]
        difference = changes(output.mel) - changes(batch.mel_specs)
        error = zero_padding(difference.abs(), padding).sum()
        values = (~padding).sum().clamp_min(1) * difference.shape[2]
        return {"own": output.loss, "changes": self._weight * error / values}


def changes(mel: Tensor) -> Tensor:
    """Return how each frame differs from the one before it: (B, T, M) -> (B, T - 1, M)."""
    return mel[:, 1:] - mel[:, :-1]
