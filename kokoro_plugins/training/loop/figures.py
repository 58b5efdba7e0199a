"""Figures of a step: gathered on the device, read back once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from kokoro_plugins.training.data.training_data import Batch

Sum = Callable[[Tensor], Tensor]
"""Adds a tensor up over all processes."""


@dataclass(frozen=True)
class StepFigures:
    """Figures of one step, the same in all processes.

    Attributes:
        losses: The weighted sum as ``loss`` and each term by its name: means over the batches.
        gradient_norm: Of all gradients together, before they were clipped.
        frames: Frames in the step's batches, padding not counted.
        stop: Whether any process was asked to stop.
        seconds: Used up by the clock of the first process; 0 where one process trains alone.
    """

    losses: dict[str, float]
    gradient_norm: float
    frames: int
    stop: bool
    seconds: float = 0.0

    @property
    def finite(self) -> bool:
        """Whether every figure is a number."""
        return all(map(math.isfinite, (self.gradient_norm, *self.losses.values())))


@final
class StepFiguresCollector:
    """Gathers the batches of a step; with accumulation there are several.

    Attributes:
        batches: The step's batches so far, with the losses of each.
    """

    def __init__(self) -> None:
        self.batches: list[tuple[Batch, dict[str, Tensor]]] = []

    def add(self, batch: Batch, losses: Mapping[str, Tensor]) -> None:
        """Note a batch and its losses."""
        self.batches.append((batch, {name: loss.detach() for name, loss in losses.items()}))

    def figures(
        self,
        gradient_norm: Tensor,
        *,
        stop: bool,
        processes: int = 1,
        add_up: Sum | None = None,
        seconds: float = 0.0,
    ) -> StepFigures:
        """Return the figures of the step: the one place where the host waits for the device.

        Args:
            gradient_norm: Of all gradients together.
            stop: Whether this process was asked to stop.
            processes: How many processes train together.
            add_up: Adds a tensor up over them; not needed for one.
            seconds: By the clock of the first process; 0 in the others.
        """
        names = list(self.batches[0][1])
        means = [torch.stack([each[name] for _, each in self.batches]).mean() for name in names]
        frames = torch.stack([batch.lengths.sum() for batch, _ in self.batches]).sum()
        values = torch.stack([gradient_norm, frames.float(), *means])  # frames: exact below 2^24
        if add_up is not None:
            values = add_up(torch.cat([values, values.new_tensor([float(stop), seconds])]))
            stop, seconds = bool(values[-2] > 0), float(values[-1])
        norm, total, *losses = values.tolist()[: len(names) + 2]
        return StepFigures(
            losses={n: loss / processes for n, loss in zip(names, losses, strict=True)},
            gradient_norm=norm / processes,
            frames=int(total) if math.isfinite(total) else 0,
            stop=stop,
            seconds=seconds,
        )

    def clear(self) -> None:
        """Begin the next step."""
        self.batches.clear()
