"""Noise for graphs: drawn by the graph itself, or given to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast, final

import torch
from torch import Tensor

from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.tensors.noise import RowNoise


@final
class GraphNoise:
    """Stands for `RowNoise` in a graph, whose random numbers the runtime draws.

    A generator for each row and block cannot be in a graph. The numbers are those of torch's global
    generator where torch runs the graph.
    """

    def of(self, part: str) -> GraphNoise:
        """Return itself: a graph has one stream, in the order of its operations."""
        return self

    def normal(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Return (B, num, channels) of the standard normal distribution."""
        return torch.randn(like.shape[0], num, channels, dtype=like.dtype, device=like.device)

    def uniform(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Return (B, num, channels) of the uniform distribution over [0, 1)."""
        return torch.rand(like.shape[0], num, channels, dtype=like.dtype, device=like.device)


@final
class GivenNoise:
    """Gives numbers that something else has drawn, in the order in which they are asked for.

    Args:
        drawn: (B, num, channels) each.
    """

    def __init__(self, drawn: Sequence[Tensor]) -> None:
        self._left = list(drawn)

    def of(self, part: str) -> GivenNoise:
        """Return itself, as `GraphNoise` does."""
        return self

    def normal(self, num: int, channels: int, *, like: Tensor) -> Tensor:
        """Return the next numbers.

        Raises:
            ValueError: They are of another shape, or there are none left.
        """
        wanted = like.shape[0], num, channels
        if not self._left or tuple(self._left[0].shape) != wanted:
            found = [tuple(each.shape) for each in self._left[:1]]
            raise ValueError(f"Noise of shape {wanted} is asked for, but what is left is {found}.")
        return self._left.pop(0).to(like)

    uniform = normal


@contextmanager
def drawing_from(acoustic: AcousticModel, noise: GraphNoise | GivenNoise) -> Iterator[None]:
    """Let a model speak with the numbers of a noise, whatever seed it is given."""
    honest = acoustic.side_inputs

    def side_inputs(extras: Any, *padding_masks: Tensor, **others: Any) -> dict[str, Any]:
        return honest(extras, *padding_masks, **{**others, "noise": cast("RowNoise", noise)})

    acoustic.side_inputs = side_inputs  # type: ignore[method-assign]
    try:
        yield
    finally:
        del acoustic.side_inputs
