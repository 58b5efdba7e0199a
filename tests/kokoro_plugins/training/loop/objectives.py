"""Objectives for tests: the model's own loss, and a judge of frames beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from kokoro_core.contracts import Objective
from kokoro_core.params.sizes import Sizes
from kokoro_core.slots import ObjectiveParams


class Own(Objective):
    """The model's own loss in one stage."""

    def stages(self) -> tuple[str, ...]:
        return ("model",)

    def parameters_of(self, stage: str, model: nn.Module) -> Iterable[nn.Parameter]:
        return model.parameters()

    def loss(self, stage: str, output: Any, batch: Any) -> dict[str, Tensor]:
        return {"own": output.loss}


class Judged(Objective):
    """A judge that tells frames apart, and a model that it judges; neither is detached.

    Args:
        width: Channels of a frame.
        start: The judge waits for so many steps.
    """

    def __init__(self, *, width: int, start: int = 0, hidden: int = 3) -> None:
        super().__init__()
        self.judge = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 2))
        self.start = start

    def stages(self) -> tuple[str, ...]:
        return ("judge", "model")

    def parameters_of(self, stage: str, model: nn.Module) -> Iterable[nn.Parameter]:
        return self.judge.parameters() if stage == "judge" else model.parameters()

    def loss(self, stage: str, output: Any, batch: Any) -> dict[str, Tensor]:
        waits = self.done < self.start
        if stage == "judge":
            real, made = self._mean(batch.mel_specs, batch), self._mean(output.mel, batch)
            return {} if waits else {"real": (real - 1).square(), "made": made.square()}
        own = {"own": output.loss}
        judged = 0.5 * (self._mean(output.mel, batch) - 1).square()
        return own if waits else {**own, "judged": judged}

    def _mean(self, mel: Tensor, batch: Any) -> Tensor:
        scores = self.judge(mel).mean(-1)
        mean: Tensor = scores[~batch.mel_padding_mask].mean()
        return mean


class OwnParams(ObjectiveParams):
    """The model's own loss."""

    type: Literal["own"] = "own"

    def build(self, sizes: Sizes) -> Objective:
        return Own()


class JudgedParams(ObjectiveParams):
    """A judge of frames."""

    type: Literal["judged"] = "judged"
    start: int = 0
    hidden: int = 3
    poisoned: bool = False

    def build(self, sizes: Sizes) -> Objective:
        judged = Judged(width=sizes.mel_dim, start=self.start, hidden=self.hidden)
        if self.poisoned:
            nn.init.constant_(judged.judge[0].weight, torch.nan)  # type: ignore[arg-type]
        return judged
