"""`Inputs` and `Outputs`: what goes into a component under test and what comes out of it."""

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
        padding: For each tensor that has steps its padding mask (B, T), True = padding.
    """

    tensors: Tensors
    padding: Tensors

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return len(next(iter(self.tensors.values())))

    @property
    def floating(self) -> dict[str, Tensor]:
        """The tensors that may have a gradient."""
        return {name: each for name, each in self.tensors.items() if each.is_floating_point()}

    def lengths(self, name: str) -> list[int]:
        """Return the valid steps of each row of a tensor."""
        return lengths_from_padding_mask(self.padding[name]).tolist()

    def changed(self, **tensors: Tensor) -> Inputs:
        """Return the same with other tensors under some names."""
        return replace(self, tensors={**self.tensors, **tensors})

    def mapped(self, function: Callable[[Tensor], Tensor]) -> Inputs:
        """Return the same with a function applied to every floating tensor."""
        return self.changed(**{name: function(each) for name, each in self.floating.items()})

    def select(self, rows: list[int]) -> Inputs:
        """Return a batch of these rows, padded as they are."""
        index = torch.tensor(rows)
        return Inputs(
            {name: each[index] for name, each in self.tensors.items()},
            {name: each[index] for name, each in self.padding.items()},
        )

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
        """Return the same with more padding behind every tensor that has steps, filled with 1."""

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
        copies = {name: each.detach().clone() for name, each in self.tensors.items()}
        return Inputs(copies, {name: each.clone() for name, each in self.padding.items()})


@dataclass(frozen=True)
class Outputs:
    """What a component made of a batch.

    Attributes:
        tensors: By name, each (B, T) or (B, T, C).
        padding_mask: (B, T) bool of all of them, True = padding.
        losses: Losses of the component's own.
    """

    tensors: Tensors
    padding_mask: Tensor
    losses: Tensors = field(default_factory=dict)

    @property
    def lengths(self) -> list[int]:
        """Return the valid steps of each row."""
        return lengths_from_padding_mask(self.padding_mask).tolist()
