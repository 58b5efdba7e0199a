"""`Inputs` and `Outputs` of a component under test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from kokoro_core.tensors.masks import lengths_from_padding_mask

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Inputs:
    """The inputs of a call.

    Attributes:
        tensors: By name, each (B, …), (B, T) or (B, T, C).
        padding: The padding mask (B, T) of each tensor that has steps, True = padding.
    """

    tensors: Tensors
    padding: Tensors

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return len(next(iter(self.tensors.values())))

    @property
    def floating(self) -> dict[str, Tensor]:
        """The floating-point tensors, which may require gradients."""
        return {name: each for name, each in self.tensors.items() if each.is_floating_point()}

    def lengths(self, name: str) -> list[int]:
        """Return the valid steps of each row of a tensor."""
        return lengths_from_padding_mask(self.padding[name]).tolist()

    def changed(self, **tensors: Tensor) -> Inputs:
        """Return a copy with some tensors replaced."""
        return replace(self, tensors={**self.tensors, **tensors})

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Inputs:
        """Return a copy with a function applied to every floating-point tensor."""
        return self.changed(**{name: function(each) for name, each in self.floating.items()})

    def applied(self, function: Callable[[Tensor], Tensor]) -> Inputs:
        """Return a copy with a function applied to every tensor and padding mask."""
        return Inputs(
            {name: function(each) for name, each in self.tensors.items()},
            {name: function(each) for name, each in self.padding.items()},
        )

    def select(self, rows: list[int]) -> Inputs:
        """Return a batch of these rows with their padding."""
        index = torch.tensor(rows)
        return self.applied(lambda each: each[index])

    def row(self, row: int) -> Inputs:
        """Return a row alone, without padding."""
        alone = self.select([row])
        ends = {name: alone.lengths(name)[0] for name in alone.padding}
        return Inputs(
            {
                name: each[:, : ends[name]] if name in ends else each
                for name, each in alone.tensors.items()
            },
            {name: each[:, : ends[name]] for name, each in alone.padding.items()},
        )

    def wider(self, steps: int) -> Inputs:
        """Return a copy with more padding after every tensor that has steps, filled with 1."""

        def longer(tensor: Tensor) -> Tensor:
            shape = (tensor.shape[0], steps, *tensor.shape[2:])
            return torch.cat([tensor, tensor.new_ones(shape)], 1)

        tensors = {
            name: longer(each) if name in self.padding else each
            for name, each in self.tensors.items()
        }
        if "durations" in tensors:
            tensors["durations"][:, -steps:] = 0
        return Inputs(tensors, {name: longer(each) for name, each in self.padding.items()})

    def detached(self) -> Inputs:
        """Return copies that share no memory with these."""
        return self.applied(lambda each: each.detach().clone())


@dataclass(frozen=True)
class Outputs:
    """The outputs of a component for a batch.

    Attributes:
        tensors: By name, each (B, T) or (B, T, C).
        padding_mask: (B, T) bool, the same for all tensors, True = padding.
        losses: Losses that the component returns itself.
    """

    tensors: Tensors
    padding_mask: Tensor
    losses: Tensors = field(default_factory=dict)

    @property
    def lengths(self) -> list[int]:
        """Return the valid steps of each row."""
        return lengths_from_padding_mask(self.padding_mask).tolist()
